"""Background work spread over processes and machines: Procrastinate on the same PostgreSQL as the rows.

Workers (`run_worker`) take jobs from queues; one schedule (`run_schedule`; a second may stand by) feeds what is
due and rescues the jobs of dead workers. Jobs are few: one per batch of posts, one per source to poll or to
publish through. Each job calls a handler of ascolto/jobs/handlers.py; row state decides what there is to do.
"""

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from sqlalchemy.orm import Session

from ascolto.jobs import handlers
from ascolto.jobs.done import Done
from ascolto.jobs.queue import QUEUE_OF, QUEUES, Enqueuer, prepare_queue, queue_conninfo
from ascolto.jobs.schedule import FEED_SECONDS, Schedule
from ascolto.wiring import House
from inbox.listening.ingest import READY_TO_TAG
from inbox.store.engine import Store

__all__ = ["PostgresJobs", "prepare_queue", "run_schedule", "run_worker"]

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 5.0
STALLED_SECONDS = 20.0
FETCH_SECONDS = 2.0
STOP_SECONDS = 30.0
RECONNECT_SECONDS = 2.0
RESCUE_EVERY = 10  # feeds
# A job that kills its worker would otherwise loop for ever.
MAX_ATTEMPTS = 5
KEEP_FAILED_HOURS = 72


class DeferringStore(Store):
    """A store whose writes defer the tagging of what they ingested, in the same transaction."""

    def __init__(self, store: Store, enqueuer: Enqueuer) -> None:
        self.url, self.is_sqlite, self.engine = store.url, store.is_sqlite, store.engine
        self._enqueuer = enqueuer

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Session]:
        """Give a session; at its end the jobs for new posts are deferred, then all is committed."""
        with super().write(durable=durable) as session:
            yield session
            ready: list[int] = session.info.pop(READY_TO_TAG, [])
            self._enqueuer.defer_batch(session, "tag", ready)


class _Steps:
    """The tasks a worker knows, as synchronous functions."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._enqueuer = Enqueuer()
        self._polling = DeferringStore(house.store, self._enqueuer)

    def poll(self, source_id: int) -> None:
        self._follow("poll", handlers.poll(self._house, source_id, store=self._polling))

    def tag(self, post_ids: Sequence[int] | None = None) -> None:
        def route_too(session: Session, tagged: Sequence[int]) -> None:
            self._enqueuer.defer_batch(session, "route", tagged)

        self._follow("tag", handlers.tag(self._house, post_ids=post_ids, then=route_too))

    def route(self, post_ids: Sequence[int] | None = None) -> None:
        self._follow("route", handlers.route(self._house, post_ids=post_ids))

    def publish(self, source_id: int) -> None:
        self._follow("publish", handlers.publish(self._house, source_id=source_id))

    def roll_up(self) -> None:
        self._follow("roll_up", handlers.roll_up(self._house))

    def sweep(self) -> None:
        self._follow("sweep", handlers.sweep(self._house))

    def topics(self) -> None:
        self._follow("topics", handlers.find_topics(self._house))

    def adapt(self) -> None:
        self._follow("adapt", handlers.adapt(self._house))

    def retag(self) -> None:
        self._follow("retag", handlers.retag(self._house))

    def refresh(self, source_id: int) -> None:
        self._follow("refresh", handlers.refresh(self._house, source_id))

    def _follow(self, step: str, done: Done) -> None:
        # Batches are deferred by their own transactions; here only single jobs for what is due besides.
        deferred = {"poll": {"tag", "route"}, "tag": {"route"}}.get(step, set())
        following = set(done.due) - deferred
        if done.has_more and step not in {"poll", "publish", "refresh"}:
            following.add(step)
        if following:
            with self._house.store.write() as session:
                for name in sorted(following):
                    self._enqueuer.defer_once(session, name)


def build_app(house: House) -> App:
    """Give Procrastinate's app with our tasks; open it before use."""
    app = App(connector=PsycopgConnector(conninfo=queue_conninfo(house.store)))
    steps = _Steps(house)
    for step, queue in QUEUE_OF.items():
        app.task(name=f"ascolto.{step}", queue=queue)(getattr(steps, step))
    return app


def run_worker(
    house: House,
    *,
    queues: Sequence[str] | None = None,
    concurrency: int = 4,
    stop: threading.Event | None = None,
) -> None:
    """Take jobs until SIGTERM, SIGINT or `stop`; what is under way is finished first, for half a minute."""
    prepare_queue(house.store)
    while True:
        try:
            asyncio.run(_work(house, list(queues or QUEUES), concurrency, stop))
        except ConnectorException as error:
            log.warning("worker.database_lost", kind=type(error.__cause__).__name__, retry_seconds=RECONNECT_SECONDS)
            time.sleep(RECONNECT_SECONDS)
        else:
            return


def run_schedule(house: House, *, stop: threading.Event | None = None, feed_seconds: float = FEED_SECONDS) -> None:
    """Lead the schedule, or stand by, until SIGTERM, SIGINT or `stop`."""
    prepare_queue(house.store)
    stopping = stop or _stop_at_signals()
    Schedule(house, stop=stopping, feed_seconds=feed_seconds).run(chores=partial(_do_chores, house))


class PostgresJobs:
    """A worker and a schedule in threads of this process: the distributed engine in one place."""

    def __init__(self, house: House, *, concurrency: int = 4, feed_seconds: float = FEED_SECONDS) -> None:
        self._house = house
        self._stop = threading.Event()
        self._enqueuer = Enqueuer()
        worker: Callable[[], None] = partial(run_worker, house, concurrency=concurrency, stop=self._stop)
        schedule: Callable[[], None] = partial(run_schedule, house, stop=self._stop, feed_seconds=feed_seconds)
        self._threads = [
            threading.Thread(target=target, name=f"jobs-{name}")
            for name, target in (("worker", worker), ("schedule", schedule))
        ]

    def start(self) -> None:
        """Prepare the queue and begin."""
        prepare_queue(self._house.store)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin nothing new, and wait for what is under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def nudge(self, name: str) -> None:
        """Defer a step now, for every source that is due where it is a source's own."""
        lanes: list[int | None] = [None]
        if name == "poll":
            lanes = [*handlers.due_polls(self._house)]
        elif name == "publish":
            lanes = [*handlers.due_publishers(self._house)]
        with self._house.store.write() as session:
            for lane in lanes:
                self._enqueuer.defer_once(session, name, lane)


async def _work(house: House, queues: list[str], concurrency: int, stop: threading.Event | None) -> None:
    app = build_app(house)
    async with app.open_async():
        working = asyncio.create_task(
            app.run_worker_async(
                queues=queues,
                concurrency=concurrency,
                delete_jobs="successful",
                fetch_job_polling_interval=FETCH_SECONDS,
                update_heartbeat_interval=HEARTBEAT_SECONDS,
                stalled_worker_timeout=STALLED_SECONDS,
                shutdown_graceful_timeout=STOP_SECONDS,
                install_signal_handlers=stop is None,
            )
        )
        if stop is not None:
            await asyncio.to_thread(stop.wait)
            working.cancel()
        try:
            await working
        except asyncio.CancelledError:
            log.info("worker.stopped")


def _do_chores(house: House, number: int) -> None:
    if number % RESCUE_EVERY == 0:
        asyncio.run(rescue(house, delete_old=number % (RESCUE_EVERY * 360) == 0))


async def rescue(
    house: House, *, delete_old: bool = False, stalled_seconds: float = STALLED_SECONDS
) -> tuple[int, int]:
    """Give the jobs of dead workers to living ones; gives how many were retried and how many given up."""
    app = App(connector=PsycopgConnector(conninfo=queue_conninfo(house.store), min_size=1, max_size=1))
    retried = given_up = 0
    async with app.open_async():
        await app.job_manager.prune_stalled_workers(stalled_seconds)
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=stalled_seconds):
            if job.attempts >= MAX_ATTEMPTS:
                given_up += await _give_up(app, job)
            else:
                retried += await _retry(app, job)
        if delete_old:
            await app.job_manager.delete_old_jobs(nb_hours=KEEP_FAILED_HOURS, include_failed=True)
    if retried or given_up:
        log.warning("jobs.rescued", retried=retried, given_up=given_up)
    return retried, given_up


async def _retry(app: App, job: Job) -> bool:
    try:
        await app.job_manager.retry_job(job)
    except Exception as error:  # noqa: BLE001 - one job's trouble (finished meanwhile, its lock taken) is its own
        log.warning("jobs.not_rescued", job=job.id, kind=type(error).__name__)
        return False
    return True


async def _give_up(app: App, job: Job) -> bool:
    try:
        await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=False)
    except Exception as error:  # noqa: BLE001 - as above
        log.warning("jobs.not_given_up", job=job.id, kind=type(error).__name__)
        return False
    log.error("jobs.given_up", job=job.id, task=job.task_name, attempts=job.attempts)
    return True


def _stop_at_signals() -> threading.Event:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping
