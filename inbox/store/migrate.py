"""Brings a database to the present schema, and tells how far it is."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from inbox.store.engine import Store

MIGRATIONS = Path(__file__).parent / "migrations"
# Any number will do; all processes that migrate one database must take the same.
MIGRATION_LOCK = 7_140_001


def upgrade(store: Store, revision: str = "head") -> None:
    """Migrate to `revision`; safe when several processes start at once (the second waits, then finds it done)."""
    with store.engine.connect() as connection:
        if store.is_sqlite:
            connection.execution_options(ascolto_write=True)
            driver = connection.connection.driver_connection
            if driver is not None:
                # Batch migrations rebuild tables; the keys are checked again when the connection is reopened.
                driver.execute("PRAGMA foreign_keys=OFF")
        with connection.begin():
            if not store.is_sqlite:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    store.dispose()


def downgrade(store: Store, revision: str) -> None:
    """Go back to `revision` ("base" empties the database). For tests and emergencies."""
    with store.engine.begin() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
    store.dispose()


def current_revision(store: Store) -> str | None:
    """Give the revision the database is at, None when it is empty."""
    with store.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str | None:
    """Give the newest revision this version knows."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def alembic_config() -> Config:
    """Give Alembic's configuration, without any file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config
