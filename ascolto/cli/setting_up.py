"""Commands that begin an installation: init, the database's schema, the demo."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ascolto.cli.exits import CliError, ExitCode
from ascolto.cli.opening import open_settings, start_logs
from ascolto.cli.output import JsonFlag, answer, say, write_json

if TYPE_CHECKING:
    from ascolto.wiring import House
    from inbox.store.engine import Store

db_group = typer.Typer(help="The database.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands that stand alone."""
    app.command("init")(init)
    app.command("demo")(demo)


def init(
    brand: Annotated[
        Path | None,
        typer.Option("--brand", help="Brand file to load (config/examples/brand.toml).", exists=True, dir_okay=False),
    ] = None,
    admin: Annotated[str | None, typer.Option("--admin", help="E-mail of a first administrator to add.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the administrator's password from standard input.")
    ] = False,
    generate: Annotated[
        bool, typer.Option("--generate", help="Make the administrator's password and show it.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Prepare an installation: data folder, key, database, and if asked a brand and an administrator.

    Safe to repeat: it brings what exists up to date and changes nothing else.
    """
    from ascolto.wiring import build_house

    settings = open_settings()
    start_logs(settings)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    house = build_house(settings)
    try:
        prepare_database(house.store)
        brands = _load_brand(house, brand) if brand is not None else ()
        password = _add_admin(house, admin, from_stdin=password_stdin, generate=generate) if admin else None
    finally:
        house.close()
    if as_json:
        write_json({"data_dir": str(settings.data_dir), "brands": brands, "admin": admin, "password": password})
        return
    say(f"Ready in {settings.data_dir}.")
    if brands:
        say(f"Brands: {', '.join(brands)}.")
    if password is not None:
        answer(password)
    say(f"Next: ascolto serve, then open {settings.resolved_base_url}")


@db_group.command("upgrade")
def db_upgrade(as_json: JsonFlag = False) -> None:
    """Bring the database to this version's schema. Make a backup first."""
    from inbox.store.engine import Store
    from inbox.store.migrate import current_revision

    settings = open_settings()
    start_logs(settings)
    store = Store(settings.resolved_database_url)
    try:
        before = current_revision(store)
        prepare_database(store)
        after = current_revision(store)
    finally:
        store.dispose()
    if as_json:
        write_json({"from": before, "to": after})
    else:
        say(f"The database is at schema {after}." if before == after else f"Upgraded from {before} to {after}.")


def demo(
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port of the web server.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Begin the demo anew.")] = False,
) -> None:
    """Show the product with a brand that does not exist, in a data folder of its own. Needs no account anywhere."""
    from ascolto.demo.show import show_demo

    settings = open_settings()
    start_logs(settings, is_server=True)
    show_demo(settings, port=port, reset=reset)


def prepare_database(store: "Store") -> None:
    """Bring tables, and on PostgreSQL the queue's too, to what this version works with."""
    from inbox.store.migrate import upgrade

    upgrade(store)
    if not store.is_sqlite:
        from ascolto.jobs.queue import prepare_queue

        prepare_queue(store)


def _load_brand(house: "House", path: Path) -> tuple[str, ...]:
    from config.brand import load_brand_file
    from inbox.listening.brands import apply_brand_file

    file = load_brand_file(path)
    with house.store.write() as session:
        report = apply_brand_file(session, file, now=house.clock())
    return (*report.created, *report.changed, *report.unchanged)


def _add_admin(house: "House", email: str, *, from_stdin: bool, generate: bool) -> str | None:
    from ascolto.cli.people import read_password
    from inbox.people.users import create_user, normal_email
    from inbox.store.queries.sign_ins import user_by_email
    from inbox.store.types import Role

    with house.store.read() as session:
        if user_by_email(session, normal_email(email)) is not None:
            raise CliError(
                f"{email} is here already.",
                code=ExitCode.CONFLICT,
                cure="Change the password with: ascolto user passwd.",
            )
    password = read_password(from_stdin=from_stdin, generate=generate)
    with house.store.write() as session:
        create_user(
            session,
            email=email,
            name=email.split("@", maxsplit=1)[0],
            password=password,
            role=Role.ADMIN,
            language="it",
            now=house.clock(),
        )
    return password if generate else None
