"""Commands about sources: what we listen to, how it fares, and what to do about it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from ascolto.cli.choosing import choose_brand, choose_source
from ascolto.cli.exits import CliError, ExitCode
from ascolto.cli.opening import open_house
from ascolto.cli.output import JsonFlag, answer, progress, say, write_json, write_table
from ascolto.cli.source_config import describe_fields, explain_config, read_config

if TYPE_CHECKING:
    from ascolto.wiring import House
    from inbox.listening.poll import PollReport
    from inbox.store.tables import Source

group = typer.Typer(help="What we listen to: accounts and listening queries.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name or number of the source.")]
BrandOf = Annotated[
    str | None, typer.Option("--brand", help="Slug of its brand, where two have a source of that name.")
]


@group.command("networks")
def networks(
    network: Annotated[str | None, typer.Argument(help="Show this network's settings.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the networks there are, or the settings one of them takes."""
    from connectors.registry import load_registry

    registry = load_registry()
    if network is None:
        rows = [{"network": name, "title": registry.get(name).title} for name in registry.names()]
        if as_json:
            write_json(rows)
        else:
            write_table(("network", "title"), ((row["network"], row["title"]) for row in rows))
        return
    fields = describe_fields(registry.get(network).config_class)
    if as_json:
        write_json(fields)
    else:
        write_table(
            ("setting", "needed", "secret", "what it is"),
            (
                (f["name"], "yes" if f["is_required"] else "", "yes" if f["is_secret"] else "", f["description"])
                for f in fields
            ),
        )


@group.command("add")
def add(
    network: Annotated[str, typer.Argument(help="Network, as `source networks` lists them.")],
    brand: Annotated[str, typer.Option("--brand", help="Slug of the brand that listens.")],
    name: Annotated[str, typer.Option("--name", help="Name of the source.")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="A setting, name=value; name=env:VARIABLE takes it from the environment. May be repeated."
        ),
    ] = None,
    file: Annotated[
        str | None, typer.Option("--file", help="TOML or JSON file with settings; - is standard input.")
    ] = None,
    poll_seconds: Annotated[int | None, typer.Option("--poll-seconds", min=5, help="Interval between polls.")] = None,
    publish: Annotated[
        bool, typer.Option("--publish/--no-publish", help="Whether answers may go out through it.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Add a source, after its network has accepted the credentials."""
    from inbox.listening.sources import create_source

    with open_house() as house:
        with house.store.read() as session:
            brand_id = choose_brand(session, brand).id
        config = read_config(house.registry.get(network).config_class, file=file, settings=settings or ())
        try:
            connector = house.registry.create(network, config, transport=house.transport, clock=house.clock)
        except ValidationError as error:
            raise explain_config(error, network) from error
        account = connector.check()
        with house.store.write() as session:
            source = create_source(
                session,
                house.vault,
                brand_id=brand_id,
                connector=connector,
                name=name,
                account=account,
                poll_seconds=poll_seconds or house.settings.poll_seconds,
                can_publish=publish,
                now=house.clock(),
            )
            row = _row(source)
    if as_json:
        write_json(row)
    else:
        say(f'"{name}" is source {row["id"]}, reading as {account.handle}.')


@group.command("list")
def list_all(brand: BrandOf = None, as_json: JsonFlag = False) -> None:
    """List the sources and how they fare."""
    from inbox.store.queries.sources import list_sources

    with open_house() as house, house.store.read() as session:
        brand_id = None if brand is None else choose_brand(session, brand).id
        rows = [_row(source) for source in list_sources(session, brand_id)]
    if as_json:
        write_json(rows)
    else:
        columns = ("id", "name", "network", "state", "state_reason", "last_ok_at", "next_poll_at")
        write_table(columns, ([row[column] for column in columns] for row in rows))


@group.command("check")
def check(name: Name, brand: BrandOf = None, as_json: JsonFlag = False) -> None:
    """Ask the network whether it still accepts the credentials, and as whom."""
    with open_house() as house:
        with house.store.read() as session:
            source = choose_source(session, name, brand=brand)
        connector = house.connector_of(source)
        account = connector.check()
    if as_json:
        write_json({"source": source.id, "account": account.handle, "account_id": account.external_id,
                    "diagnostics": dict(connector.diagnostics())})  # fmt: skip
    else:
        answer(f"{source.name}: {connector.title} answers as {account.handle}.")


@group.command("poll")
def poll(name: Name, brand: BrandOf = None, as_json: JsonFlag = False) -> None:
    """Poll a source now, whatever its interval."""
    from inbox.listening.poll import poll_source

    with open_house() as house:
        source_id = _id_of(house, name, brand)
        with progress("Polling"):
            report = poll_source(
                house.store,
                source_id,
                connector_of=house.connector_of,
                limits=house.limits,
                clock=house.clock,
                tombstone_key=house.tombstone_key,
            )
    _tell(report, as_json=as_json)


@group.command("backfill")
def backfill(
    name: Name,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How far back to go.")] = 30,
    posts: Annotated[int, typer.Option("--posts", min=1, help="At most so many posts.")] = 5_000,
    brand: BrandOf = None,
    as_json: JsonFlag = False,
) -> None:
    """Fetch older posts of a source, as history: without alarms, without SLA clocks."""
    from inbox.listening.poll import backfill_source

    with open_house() as house:
        source_id = _id_of(house, name, brand)
        with progress("Fetching history", total=posts) as bar:
            report = backfill_source(
                house.store,
                source_id,
                connector_of=house.connector_of,
                days=days,
                posts=posts,
                clock=house.clock,
                progress=bar.update,
                tombstone_key=house.tombstone_key,
            )
    _tell(report, as_json=as_json)


@group.command("pause")
def pause(name: Name, brand: BrandOf = None) -> None:
    """Stop polling a source until it is resumed."""
    from inbox.listening.sources import pause_source

    with open_house() as house:
        source_id = _id_of(house, name, brand)
        with house.store.write() as session:
            pause_source(session, source_id, house.clock())
    say(f'"{name}" is paused.')


@group.command("resume")
def resume(name: Name, brand: BrandOf = None) -> None:
    """Poll a source again: one that was paused, or stopped for its credentials."""
    from inbox.listening.sources import resume_source

    with open_house() as house:
        source_id = _id_of(house, name, brand)
        with house.store.write() as session:
            resume_source(session, source_id, house.clock())
    say(f'"{name}" is polled again.')


def _id_of(house: "House", name: str, brand: str | None) -> int:
    with house.store.read() as session:
        return choose_source(session, name, brand=brand).id


def _tell(report: "PollReport", *, as_json: bool) -> None:
    if as_json:
        write_json(
            {
                "stored": report.stored,
                "duplicates": report.duplicates,
                "quarantined": report.quarantined,
                "skipped": report.skipped,
                "truncated": report.truncated,
                "error_kind": report.error_kind,
                "error": report.error,
            }
        )
    elif report.skipped is None:
        say(f"{report.stored:,} new posts, {report.duplicates:,} known, {report.quarantined:,} in quarantine.")
        if report.truncated:
            say(f"The network withheld something: {report.truncated}")
    if report.skipped is not None:
        raise CliError(
            f"Nothing was polled: {report.skipped}.", code=ExitCode.CONFLICT, cure="ascolto source resume NAME"
        )
    if report.error:
        is_item = report.error_kind == "PermanentError"
        raise CliError(report.error, code=ExitCode.FAILED if is_item else ExitCode.NETWORK)


def _row(source: "Source") -> dict[str, Any]:
    return {
        "id": source.id,
        "name": source.name,
        "network": source.network,
        "kind": source.kind,
        "account": source.account_handle,
        "state": source.state.value,
        "state_reason": source.state_reason,
        "poll_seconds": source.poll_seconds,
        "last_ok_at": source.last_ok_at,
        "next_poll_at": source.next_poll_at,
        "can_publish": source.can_publish,
    }
