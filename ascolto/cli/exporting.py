"""The command that exports what is stored, for spreadsheets and for scripts."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Literal

import typer

from ascolto.cli.choosing import choose_brand
from ascolto.cli.exits import CliError, ExitCode
from ascolto.cli.opening import open_house
from ascolto.cli.output import progress, say


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    what: Annotated[Literal["posts", "conversations"], typer.Argument(help="What to export.")],
    brand: Annotated[str, typer.Option("--brand", help="Slug of the brand.")],
    file_format: Annotated[
        Literal["jsonl", "csv"], typer.Option("--format", help="JSON lines, or CSV that is safe to open.")
    ] = "jsonl",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; standard output if left out.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="First day, such as 2026-11-01 (UTC).")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Day after the last, such as 2026-12-01 (UTC).")] = None,
) -> None:
    """Export posts or conversations of a brand, oldest first, however many there are."""
    from ascolto.tables_out import write_csv, write_jsonl
    from inbox.store.queries.exports import count_exported, exported_conversations, exported_posts

    start, end = _day("--since", since), _day("--until", until)
    with open_house() as house, house.store.read() as session:
        brand_id = choose_brand(session, brand).id
        rows = (exported_posts if what == "posts" else exported_conversations)(
            session, brand_id, since=start, until=end
        )
        total = count_exported(session, what, brand_id, since=start, until=end)
        with _target(output) as file, progress(f"Exporting {what}", total=total) as bar:
            written = (write_csv if file_format == "csv" else write_jsonl)(file, rows, on_progress=bar.update)
    say(f"{written:,} {what}.")


def _day(option: str, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise CliError(f'{option}: "{value}" is no day; write one such as 2026-11-01.', code=ExitCode.USAGE) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@contextmanager
def _target(path: Path | None) -> Iterator[IO[str]]:
    """The file, whole or not at all; or standard output."""
    if path is None:
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", newline="")  # type: ignore[union-attr]  # a text stream at the command line
        yield sys.stdout
        return
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
