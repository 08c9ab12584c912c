"""The database engine and the two scopes in which everything happens: reading and writing."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

BUSY_TIMEOUT_MS = 10_000


class Store:
    """One database. `read()` and `write()` give a session; only `write()` commits, once, at its end.

    On SQLite a write takes the writer's lock at its start (BEGIN IMMEDIATE), so that it never fails half-way
    for a lock. `write(durable=True)` waits for the disk: used for reply attempts, where a lost row would mean
    a second public answer.
    """

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self.url = sa.engine.make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        options: dict[str, Any] = {"json_serializer": _to_json, "json_deserializer": _from_json}
        if self.is_sqlite:
            if self.url.database and self.url.database != ":memory:":
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            options["connect_args"] = {"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000}
        else:
            options.update(pool_size=pool_size, max_overflow=8, pool_pre_ping=True)
        self.engine = sa.create_engine(url, **options)
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session for reading; whatever it changed is rolled back."""
        with Session(self.engine, expire_on_commit=False, autoflush=False) as session:
            yield session

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Session]:
        """Give a session that commits when the block ends, and rolls back when it raises."""
        with self.engine.connect() as connection:
            # The pragma must stand outside any transaction, hence the driver's own connection.
            driver = connection.connection.driver_connection if self.is_sqlite else None
            if driver is not None:
                connection.execution_options(ascolto_write=True)
                driver.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            with Session(connection, expire_on_commit=False) as session, session.begin():
                yield session

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _to_json(value: Any) -> str:
    # Most lists stored are empty: no media, no entities, no intents.
    return "[]" if value == [] else json.dumps(value)


def _from_json(text: str) -> Any:
    return [] if text == "[]" else json.loads(text)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # autocommit mode: we emit BEGIN ourselves, so that a write can be IMMEDIATE.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "temp_store=MEMORY",
        "cache_size=-32768",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    immediate = connection.get_execution_options().get("ascolto_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
