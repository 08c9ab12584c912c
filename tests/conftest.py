"""Fixtures shared by all tests: databases, a clock that can be set, the loopback town."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from inbox.store.engine import Store
from inbox.store.migrate import upgrade
from tests.databases import postgres_database, postgres_server

# Nothing of the developer's own installation may leak into a test.
for name in [name for name in os.environ if name.startswith("ASCOLTO_") and "TEST" not in name]:
    if name != "ASCOLTO_SHARED_DATA":
        del os.environ[name]


class FakeClock:
    """A clock that stands still until it is told to move."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, step: timedelta) -> None:
        """Move on."""
        self.now += step


@pytest.fixture
def clock() -> FakeClock:
    """Tuesday 10 November 2026, 10:00 in Rome."""
    return FakeClock(datetime(2026, 11, 10, 9, 0, tzinfo=UTC))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The maintenance database of a PostgreSQL server for this session."""
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> Iterator[str]:
    """The name of a migrated database to copy from: a copy takes milliseconds, a migration seconds."""
    with postgres_database(postgres_url) as url:
        store = Store(url)
        upgrade(store)
        store.dispose()
        yield str(store.url.database)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy from."""
    path = tmp_path_factory.mktemp("template") / "template.sqlite3"
    store = Store(f"sqlite:///{path}")
    upgrade(store)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    store.dispose()
    return path


@pytest.fixture
def sqlite_store(sqlite_template: Path, tmp_path: Path) -> Iterator[Store]:
    """A fresh migrated SQLite database."""
    path = tmp_path / "ascolto.sqlite3"
    shutil.copy(sqlite_template, path)
    store = Store(f"sqlite:///{path}")
    yield store
    store.dispose()


@pytest.fixture
def postgres_store(postgres_url: str, postgres_template: str) -> Iterator[Store]:
    """A fresh migrated PostgreSQL database."""
    with postgres_database(postgres_url, template=postgres_template) as url:
        store = Store(url)
        yield store
        store.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Store:
    """A fresh migrated database, once on each engine."""
    chosen: Store = request.getfixturevalue(f"{request.param}_store")
    return chosen


@pytest.fixture
def vault() -> object:
    """A vault with a key of its own."""
    from inbox.store.secrets import Vault

    return Vault([Fernet.generate_key().decode()])


@pytest.fixture
def town() -> Iterator[object]:
    """A running loopback town."""
    from ascolto.demo.town import Town

    running = Town()
    running.start()
    yield running
    running.stop()
