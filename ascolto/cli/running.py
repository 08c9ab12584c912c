"""Commands that run and stay: everything in one process, or its parts on PostgreSQL."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated

import typer

from ascolto.cli.exits import CliError, ExitCode
from ascolto.cli.opening import open_house
from ascolto.cli.output import say

if TYPE_CHECKING:
    from ascolto.wiring import House

BACKLOG = 2048
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on, instead of the setting.")]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("serve")(serve)
    app.command("web")(web)
    app.command("worker")(worker)
    app.command("schedule")(schedule)


def serve(host: Host = None, port: Port = None) -> None:
    """Run everything in one process: web, polling, tagging, sending."""
    with open_house(is_server=True) as house, hold_data_dir(house):
        run_everything(house, host=host, port=port)


def web(host: Host = None, port: Port = None) -> None:
    """Run a web server only; any number may run beside workers and a schedule, on PostgreSQL."""
    with open_house(is_server=True) as house:
        need_postgres(house, "web")
        from ascolto.web.app import create_app

        with listen(host or house.settings.host, house.settings.port if port is None else port) as listener:
            _run_server(house, create_app(house), listener)


def worker(
    queues: Annotated[
        list[str] | None,
        typer.Option("--queue", help="Only these queues: poll, tag, publish, report. May be repeated."),
    ] = None,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=64, help="Jobs at once.")] = 4,
) -> None:
    """Run a worker: takes jobs from PostgreSQL. Any number may run, on any number of machines."""
    with open_house(is_server=True) as house:
        need_postgres(house, "worker")
        from ascolto.jobs.postgres import run_worker

        run_worker(house, queues=queues or None, concurrency=concurrency)


def schedule() -> None:
    """Run the schedule: says when sources are polled. One leads, a second may stand by."""
    with open_house(is_server=True) as house:
        need_postgres(house, "schedule")
        from ascolto.jobs.postgres import run_schedule

        run_schedule(house)


def run_everything(house: "House", *, host: str | None = None, port: int | None = None) -> None:
    """Serve the web and do all jobs in this process until told to stop."""
    from ascolto.jobs.embedded import EmbeddedJobs
    from ascolto.web.app import create_app

    chosen = house.settings.port if port is None else port
    with listen(host or house.settings.host, chosen) as listener:
        jobs = EmbeddedJobs(house)
        app = create_app(house, nudge=jobs.nudge)
        jobs.start()
        try:
            _run_server(house, app, listener)
        finally:
            jobs.stop()


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """Take the port before anything starts, so that a busy one is told at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)  # from now on a browser waits for us instead of being refused
    except socket.gaierror as error:
        listener.close()
        raise CliError(f'There is no address "{host}" on this machine.', code=ExitCode.CONFIGURATION) from error
    except PermissionError as error:
        listener.close()
        raise CliError(
            f"Port {port} may only be taken by an administrator.",
            code=ExitCode.CONFIGURATION,
            cure="Choose one above 1023 and put a proxy before it (deploy/Caddyfile).",
        ) from error
    except OSError as error:
        listener.close()
        raise CliError(
            f"Port {port} on {host} cannot be taken: {error.strerror}.",
            code=ExitCode.BUSY,
            cure="Stop the program that holds it, or choose another with --port.",
        ) from error
    try:
        yield listener
    finally:
        listener.close()


@contextmanager
def hold_data_dir(house: "House") -> Iterator[None]:
    """Make sure that no other process serves from the same data folder: two schedules would poll twice."""
    import fcntl
    import os

    path = house.settings.data_dir / "ascolto.pid"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise CliError(
                f"Ascolto already runs on {house.settings.data_dir} (process {file.read().strip() or 'unknown'}).",
                code=ExitCode.BUSY,
                cure="Use that one, stop it, or set another ASCOLTO_DATA_DIR.",
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def need_postgres(house: "House", command: str) -> None:
    """Refuse what one SQLite file cannot carry."""
    if house.store.is_sqlite:
        raise CliError(
            f"`ascolto {command}` needs PostgreSQL: SQLite lets only one process write.",
            code=ExitCode.CONFIGURATION,
            cure="Use `ascolto serve`, or set ASCOLTO_DATABASE_URL (docs/howto/postgresql.md).",
        )


def _run_server(house: "House", app: object, listener: socket.socket) -> None:
    from fastapi import FastAPI

    from ascolto.web.server import make_server

    if not isinstance(app, FastAPI):  # keeps the import of FastAPI out of this module's head
        raise TypeError(type(app).__name__)
    address = listener.getsockname()
    # Listening everywhere is no address to open.
    shown_host = "localhost" if ip_address(address[0]).is_unspecified else address[0]
    shown = house.settings.base_url or f"http://{shown_host}:{address[1]}"
    server = make_server(app, host=str(address[0]), port=int(address[1]))
    say(f"Ascolto answers at {shown}  (Ctrl-C stops it)")
    link = first_steps_link(house, shown)
    if link is not None:
        say(f"Nobody can sign in yet. Begin here, the link works once: {link}")
    # uvicorn repeats the signal once it has stopped: without a handler the process would die of it before its jobs
    # and connections are let go.
    signal.signal(signal.SIGTERM, _leave)
    server.run(sockets=[listener])


def _leave(_number: int, _frame: object) -> None:
    raise SystemExit(ExitCode.OK)


def first_steps_link(house: "House", address: str) -> str | None:
    """Give a link to the first steps while nobody has an account; an earlier one stops working."""
    from inbox.people.first_run import issue_setup_token
    from inbox.store.queries.sign_ins import has_users

    with house.store.write() as session:
        if has_users(session):
            return None
        return f"{address.rstrip('/')}/setup?token={issue_setup_token(session, now=house.clock())}"
