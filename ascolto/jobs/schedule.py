"""The schedule of the distributed way: one leader says what is due; a second stands by.

It works from rows only: sources whose moment has come, posts waiting for a step, replies due. What is due is
deferred unless the same job waits already, so that a lost job, a lost nudge or a crashed worker costs a second.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from ascolto.jobs import handlers
from ascolto.jobs.queue import Enqueuer
from ascolto.wiring import House
from inbox.listening.adaptation import has_enough_labels
from inbox.listening.tagging import due_for_tagging
from inbox.reputation.rollups import due_buckets
from inbox.reputation.topics import list_waiting
from inbox.store.queries.old_tags import has_tags
from inbox.store.queries.sources import list_due_sources, list_polled
from inbox.triage.routing import due_for_routing

log = structlog.get_logger(__name__)

LEADER_LOCK = 0x4173_636F_0003
FEED_SECONDS = 1.0
SWEEP_EVERY = 15  # feeds
REFRESH_EVERY = 3600
MAX_SOURCES = 200


class Schedule:
    """Feeds the queue while it leads. `run` returns when `stop` is set."""

    def __init__(self, house: House, *, stop: threading.Event, feed_seconds: float = FEED_SECONDS) -> None:
        self._house = house
        self._stop = stop
        self._feed_seconds = feed_seconds
        self._enqueuer = Enqueuer()
        self._is_failing = False

    def run(self, chores: Callable[[int], None] | None = None) -> None:
        """Wait to lead, then feed until stopped. `chores` is called after each feed with its number."""
        while not self._stop.is_set():
            try:
                with lead(self._house) as is_leader:
                    if is_leader is not None:
                        log.info("schedule.leading")
                        self._lead(is_leader, chores)
            except sa.exc.SQLAlchemyError as error:
                self._note_failure(error)
            self._stop.wait(self._feed_seconds)

    def feed(self, *, with_sweep: bool, with_refresh: bool = False) -> int:
        """Defer all that is due; gives how many jobs were new."""
        publishers = handlers.due_publishers(self._house)
        with self._house.store.write() as session:
            count = sum(
                self._enqueuer.defer_once(session, "poll", source_id)
                for source_id in list_due_sources(session, self._house.clock(), MAX_SOURCES)
            )
            count += sum(self._enqueuer.defer_once(session, "publish", lane) for lane in publishers)
            if with_refresh:
                count += sum(
                    self._enqueuer.defer_once(session, "refresh", source.id) for source in list_polled(session)
                )
            for step in self._due_steps(session, with_sweep=with_sweep):
                count += self._enqueuer.defer_once(session, step)
        return count

    def _due_steps(self, session: Session, *, with_sweep: bool) -> Iterator[str]:
        if due_for_tagging(session, 1):
            yield "tag"
        if due_for_routing(session, 1):
            yield "route"
        if due_buckets(session, 1):
            yield "roll_up"
        if with_sweep:
            yield "sweep"
            if list_waiting(session, 1):
                yield "topics"
            if has_tags(session):
                yield "retag"
            if has_enough_labels(session):
                yield "adapt"

    def _lead(self, holds_lock: Callable[[], bool], chores: Callable[[int], None] | None) -> None:
        number = 0
        while not self._stop.is_set() and holds_lock():
            try:
                self.feed(
                    with_sweep=number % SWEEP_EVERY == 0,
                    with_refresh=number % REFRESH_EVERY == REFRESH_EVERY - 1,
                )
                if chores is not None:
                    chores(number)
            except Exception as error:  # noqa: BLE001 - the schedule's edge: it goes on feeding whatever broke once
                self._note_failure(error)
            else:
                if self._is_failing:
                    self._is_failing = False
                    log.info("schedule.back")
            number += 1
            self._stop.wait(self._feed_seconds)

    def _note_failure(self, error: Exception) -> None:
        if not self._is_failing:
            self._is_failing = True
            log.warning("schedule.failing", kind=type(error).__name__)


@contextmanager
def lead(house: House) -> Iterator[Callable[[], bool] | None]:
    """Try to take the leader's lock: gives None when another leads, else a question whether it still holds.

    The lock belongs to a connection: it ends with the process, or with the connection's loss.
    """
    with house.store.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        statement = sa.select(sa.func.pg_try_advisory_lock(LEADER_LOCK))
        if not connection.scalar(statement):
            yield None
            return

        def holds_lock() -> bool:
            connection.execute(sa.select(1))  # raises when the connection, and the lock with it, was lost
            return True

        try:
            yield holds_lock
        finally:
            if not connection.invalidated and not connection.closed:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(LEADER_LOCK)))
