"""Makes and loads a copy of a whole database: SQLite's own online copy, PostgreSQL's pg_dump and pg_restore."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.engine import Store
from inbox.store.queries.inventory import count_rows

# PostgreSQL error lines are cut: they may quote rows.
_MAX_WORDS = 400


class DumpError(Exception):
    """The database could not be copied or loaded; the message says why and what to do."""


def dump_sqlite(store: Store, target: Path) -> dict[str, int]:
    """Write a consistent copy of a SQLite database while it is in use; gives what the copy holds, by table.

    Writers are not held up. The copy is one snapshot, compacted, and checked before this returns.
    """
    with store.engine.connect() as connection:
        driver = connection.connection.driver_connection
        if driver is None:
            raise DumpError("The database connection was lost. Try again.")
        try:
            driver.execute("VACUUM INTO ?", (str(target),))  # outside any transaction: autocommit
        except sqlite3.Error as error:
            target.unlink(missing_ok=True)
            raise DumpError(f"The database could not be copied: {error}.") from error
    check_sqlite(target)
    # Read-only, or opening it would change it.
    engine = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(_read_only(target), uri=True))
    try:
        with Session(engine) as session:
            return count_rows(session)
    finally:
        engine.dispose()


def check_sqlite(path: Path) -> None:
    """Raise DumpError when a SQLite file is damaged."""
    try:
        connection = sqlite3.connect(_read_only(path), uri=True)
        try:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise DumpError(f"{path.name} is no intact SQLite database: {error}.") from error
    if verdict != "ok":
        raise DumpError(f"{path.name} is damaged: {str(verdict)[:_MAX_WORDS]}.")


def dump_postgres(store: Store, target: Path) -> dict[str, int]:
    """Write a PostgreSQL database in pg_dump's custom format; gives what the dump holds, by table.

    Counts and dump come from one snapshot, so that they agree while others write.
    """
    repeatable = store.engine.execution_options(isolation_level="REPEATABLE READ")
    with Session(repeatable) as session:
        snapshot = session.scalar(sa.select(sa.func.pg_export_snapshot()))
        rows = count_rows(session)
        _run(
            "pg_dump",
            [
                "--format=custom",
                "--no-owner",
                "--no-privileges",
                f"--snapshot={snapshot}",
                f"--file={target}",
                f"--dbname={_address(store)}",
            ],
            store,
        )
    return rows


def load_postgres(store: Store, source: Path) -> None:
    """Load a dump into an empty PostgreSQL database, all of it or nothing."""
    _run(
        "pg_restore",
        [
            "--no-owner",
            "--no-privileges",
            "--exit-on-error",
            "--single-transaction",
            f"--dbname={_address(store)}",
            str(source),
        ],
        store,
    )


def has_tables(store: Store) -> bool:
    """Whether anything stands in the database; False when its file does not exist yet."""
    if store.is_sqlite:
        path = Path(store.url.database or "")
        if not path.exists() or path.stat().st_size == 0:
            return False
    with store.engine.connect() as connection:
        return bool(sa.inspect(connection).get_table_names())


def find_tool(name: str) -> Path:
    """Find one of PostgreSQL's programs: on PATH, or where Debian and Homebrew keep them, the newest first."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    folders = (("/usr/lib/postgresql", "*/bin"), ("/opt/homebrew/opt", "postgresql*/bin"))
    for folder, pattern in (*folders, ("/usr/local/opt", "postgresql*/bin")):
        candidates = [place / name for place in Path(folder).glob(pattern) if (place / name).exists()]
        if candidates:
            return max(candidates, key=lambda path: _version_of(path.parent.parent.name))
    raise DumpError(
        f"{name} is missing. Install PostgreSQL's client programs, of the server's version or newer "
        "(Debian: apt-get install postgresql-client; macOS: brew install libpq)."
    )


def _read_only(path: Path) -> str:
    return f"{path.resolve().as_uri()}?mode=ro"


def _version_of(folder: str) -> int:
    digits = "".join(char for char in folder if char.isdigit())
    return int(digits) if digits else 0


def _address(store: Store) -> str:
    """The URL as PostgreSQL's programs read it, without the password: arguments are visible to other users."""
    return store.url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)


def _environment(store: Store) -> Mapping[str, str]:
    password = store.url.password
    return {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}


def _run(tool: str, arguments: list[str], store: Store) -> None:
    command = [str(find_tool(tool)), *arguments]
    done = subprocess.run(command, env=_environment(store), capture_output=True, text=True, check=False)  # noqa: S603 - a fixed program with our own arguments, no shell
    if done.returncode:
        words = next((line for line in done.stderr.splitlines() if "error" in line.lower()), done.stderr.strip())
        raise DumpError(f"{tool} failed: {words[:_MAX_WORDS]}")
