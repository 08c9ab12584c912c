"""All background work in this process: APScheduler asks what is due and calls the handlers.

No queue at all: a tick asks the rows, and a step that moved rows nudges the next one, so that nothing waits for a
tick. Each source has a poll job of its own, and replies go out in one lane per source: a network that hangs holds
up itself only.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from ascolto.jobs import handlers
from ascolto.jobs.done import Done
from ascolto.wiring import House
from inbox.replies.reconcile import recover_interrupted
from inbox.store.queries.sources import list_polled

log = structlog.get_logger(__name__)

SYNC_SECONDS = 3.0
# What ticks less often than this does not run at every start.
AT_ONCE_SECONDS = 600.0
POLL_PREFIX, LANE_PREFIX = "poll:", "publish:"
STEP_THREADS, POLL_THREADS, LANE_THREADS = 4, 8, 8


class EmbeddedJobs:
    """The schedule and its work. `start` and `stop` once each; `nudge` from any thread at any time."""

    def __init__(self, house: House, *, pace: float = 1.0) -> None:
        """`pace` shortens (below 1) or lengthens every interval between ticks."""
        self._house = house
        self._pace = pace
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._is_idle = threading.Condition(self._lock)
        self._active = 0
        self._running: set[str] = set()
        self._wanted: set[str] = set()
        self._broken: set[str] = set()
        # APScheduler warns whenever a tick finds its step still at work, which is how it should be here.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={
                "default": ThreadPoolExecutor(STEP_THREADS),
                "poll": ThreadPoolExecutor(POLL_THREADS),
                "lane": ThreadPoolExecutor(LANE_THREADS),
            },
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """Take up what a dead process left, then tick."""
        if self._house.store.is_sqlite:  # the file has one writing process, so whoever was at it is gone
            with self._house.store.write(durable=True) as session:
                interrupted = recover_interrupted(session, now=self._house.clock())
            if interrupted:
                log.warning("jobs.replies_interrupted", count=len(interrupted))
        for name, interval in handlers.TICKS.items():
            self._add_tick(name, partial(self._run_step, name), interval.total_seconds())
        self._add_tick("sources", self._sync_sources, SYNC_SECONDS)
        self._scheduler.start()

    def stop(self) -> None:
        """Begin nothing new, and wait for what is under way; it is committed or will be taken up again."""
        with self._lock:
            self._stopping.set()
        if not self._scheduler.running:
            return
        self._scheduler.pause()
        # The scheduler's own waiting holds locks that a step under way may still ask for.
        with self._lock:
            self._is_idle.wait_for(lambda: self._active == 0)
        self._scheduler.shutdown(wait=True)

    def nudge(self, name: str) -> None:
        """Run a step now ("tag", "route", "publish", "roll_up", "sweep"), or look for sources to poll ("poll")."""
        job_id = "sources" if name == "poll" else name
        with self._lock:
            self._wanted.add(job_id)
            if job_id in self._running:
                return  # it looks again before it ends
        self._run_soon(job_id)

    def _add_tick(self, name: str, call: Callable[[], None], seconds: float) -> None:
        self._scheduler.add_job(
            call,
            "interval",
            seconds=seconds * self._pace,
            id=name,
            next_run_time=datetime.now(UTC) + timedelta(seconds=seconds if seconds > AT_ONCE_SECONDS else 0),
        )

    def _run_soon(self, job_id: str) -> None:
        if not self._stopping.is_set() and self._scheduler.running:
            try:
                self._scheduler.modify_job(job_id, next_run_time=datetime.now(UTC))
            except JobLookupError:
                return

    @contextmanager
    def _at_work(self) -> Iterator[bool]:
        # Gives whether to begin at all; `stop` waits for those who did.
        with self._lock:
            is_welcome = not self._stopping.is_set()
            self._active += is_welcome
        try:
            yield is_welcome
        finally:
            with self._lock:
                self._active -= is_welcome
                self._is_idle.notify_all()

    def _run_step(self, name: str) -> None:
        if name == "publish":
            self._repeat(name, self._open_lanes)
        else:
            self._repeat(name, partial(handlers.STEPS[name], self._house))

    def _repeat(self, name: str, work: Callable[[], Done]) -> None:
        with self._at_work() as is_welcome:
            if is_welcome:
                self._work_off(name, work)

    def _work_off(self, name: str, work: Callable[[], Done]) -> None:
        # Work until nothing of its own is left and nobody has nudged meanwhile.
        with self._lock:
            if name in self._running:
                return
            self._running.add(name)
        try:
            while not self._stopping.is_set():
                with self._lock:
                    self._wanted.discard(name)
                done = self._try(name, work)
                for following in done.due:
                    self.nudge(following)
                with self._lock:
                    if not done.has_more and name not in self._wanted:
                        self._running.discard(name)
                        return
        finally:
            with self._lock:
                self._running.discard(name)

    def _try(self, name: str, work: Callable[[], Done]) -> Done:
        # A job's edge: whatever broke is logged once, when it begins and when it is over, and tried again by the tick.
        try:
            done = work()
        except Exception:
            if name not in self._broken:
                self._broken.add(name)
                log.exception("jobs.step_failing", step=name)
            return Done()
        if name in self._broken:
            self._broken.discard(name)
            log.info("jobs.step_back", step=name)
        return done

    def _open_lanes(self) -> Done:
        for source_id in handlers.due_publishers(self._house):
            self._start_lane(source_id)
        return Done()

    def _start_lane(self, source_id: int) -> None:
        name = f"{LANE_PREFIX}{source_id}"
        with self._lock:
            if name in self._running or self._stopping.is_set():
                return
        work = partial(handlers.publish, self._house, source_id=source_id)
        self._scheduler.add_job(
            self._repeat,
            args=(name, work),
            id=name,
            executor="lane",
            replace_existing=True,
        )

    def _sync_sources(self) -> None:
        with self._at_work() as is_welcome:
            if is_welcome:
                self._try("sources", self._plan_polls)
        with self._lock:
            self._wanted.discard("sources")

    def _plan_polls(self) -> Done:
        # One job per source, on the moment its row says; paused and removed sources lose theirs.
        with self._house.store.read() as session:
            sources = {source.id: source for source in list_polled(session)}
        planned: dict[str, Any] = {job.id: job for job in self._scheduler.get_jobs() if job.id.startswith(POLL_PREFIX)}
        now = self._house.clock()
        for source in sources.values():
            job_id = f"{POLL_PREFIX}{source.id}"
            wait = max(timedelta(), (source.next_poll_at or now) - now)
            moment = datetime.now(UTC) + wait
            job = planned.pop(job_id, None)
            if job is None:
                self._scheduler.add_job(
                    self._poll, "interval", seconds=source.poll_seconds, jitter=max(1, source.poll_seconds // 10),
                    args=(source.id,), id=job_id, executor="poll", next_run_time=moment, replace_existing=True,
                )  # fmt: skip
            elif job_id not in self._running and abs(job.next_run_time - moment) > timedelta(seconds=1):
                self._scheduler.modify_job(job_id, next_run_time=moment)
        for job_id in planned:
            self._scheduler.remove_job(job_id)
        return Done()

    def _poll(self, source_id: int) -> None:
        self._repeat(f"{POLL_PREFIX}{source_id}", partial(handlers.poll, self._house, source_id))
