"""Putting jobs into Procrastinate's tables, in the caller's transaction, and keeping those tables' schema."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import sqlalchemy as sa
import structlog
from procrastinate import App, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.schema import SchemaManager
from procrastinate.types import JSONDict
from sqlalchemy.orm import Session

from inbox.store.engine import Store
from inbox.store.migrate import MIGRATION_LOCK

log = structlog.get_logger(__name__)

QUEUES = ("poll", "tag", "publish", "report")
QUEUE_OF = {
    "poll": "poll",
    "tag": "tag",
    "route": "tag",
    "publish": "publish",
    "roll_up": "report",
    "sweep": "report",
    "topics": "report",
    "retag": "tag",
    "adapt": "tag",
    "refresh": "poll",
}
# Jobs of a queue are taken by priority, then by age; 0 where nothing stands here.
PRIORITY_OF = {"retag": -10, "adapt": -5}
BATCH = 500
# Where we note which of the library's versions the tables are of.
SCHEMA_KEY = "procrastinate.schema"


def queue_conninfo(store: Store) -> str:
    """Give the database's address as psycopg reads it."""
    return store.url.set(drivername="postgresql").render_as_string(hide_password=False)


class Enqueuer:
    """Defers jobs from synchronous code. Hold one per process; it needs no connection of its own."""

    def __init__(self) -> None:
        self._app = App(connector=SyncPsycopgConnector())

    def defer_batch(self, session: Session, step: str, post_ids: Sequence[int]) -> int:
        """Defer a step for these posts, in batches, with the session's commit; gives how many jobs."""
        count = 0
        for start in range(0, len(post_ids), BATCH):
            self._defer(session, step, {"post_ids": list(post_ids[start : start + BATCH])})
            count += 1
        return count

    def defer_once(self, session: Session, step: str, source_id: int | None = None) -> bool:
        """Defer a step unless the same is waiting already; says whether it was deferred."""
        key = step if source_id is None else f"{step}:{source_id}"
        try:
            with session.begin_nested():
                # A step of one source also runs one at a time: nobody sends or polls there beside it.
                self._defer(
                    session,
                    step,
                    {} if source_id is None else {"source_id": source_id},
                    queueing_lock=key,
                    lock=key if source_id is not None else None,
                )
        except AlreadyEnqueued:
            return False
        return True

    def _defer(
        self,
        session: Session,
        step: str,
        arguments: JSONDict,
        *,
        queueing_lock: str | None = None,
        lock: str | None = None,
    ) -> None:
        # The driver's connection of this very transaction: the job exists if and only if the rows do.
        driver = session.connection().connection.driver_connection
        self._app.configure_task(
            f"ascolto.{step}",
            queue=QUEUE_OF[step],
            priority=PRIORITY_OF.get(step, 0),
            queueing_lock=queueing_lock,
            lock=lock,
            connection=driver,
        ).defer(**arguments)


def prepare_queue(store: Store) -> bool:
    """Create or upgrade Procrastinate's tables; safe when several processes start at once. Says whether it did.

    On SQLite there is no queue and nothing to do.
    """
    if store.is_sqlite:
        return False
    version = metadata.version("procrastinate")
    with store.engine.begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        exists = connection.scalar(sa.text("SELECT to_regclass('procrastinate_jobs') IS NOT NULL"))
        known = connection.scalar(sa.text("SELECT value FROM system_value WHERE key = :key"), {"key": SCHEMA_KEY})
        if exists and known == version:
            return False
        scripts = _migrations(known or version, version) if exists else [SchemaManager.get_schema()]
        driver = connection.connection.driver_connection
        if driver is None:
            raise RuntimeError("the database connection was lost while preparing the queue")
        for script in scripts:
            driver.execute(script)
        connection.execute(
            sa.text(
                "INSERT INTO system_value (key, value, changed_at) VALUES (:key, :value, now())"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at"
            ),
            {"key": SCHEMA_KEY, "value": version},
        )
    log.info("queue.prepared", version=version, scripts=len(scripts))
    return True


def _migrations(known: str, wanted: str) -> list[str]:
    # Files are named by the version that brought them: 03.05.00_01_pre_….sql
    found = []
    for path in sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql")):
        numbers = _numbers(path.name.split("_")[0])
        if _numbers(known) < numbers <= _numbers(wanted):
            found.append(path.read_text(encoding="utf-8"))
    return found


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
