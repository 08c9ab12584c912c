"""The command that loads an archive: a file of posts from another tool or an export."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ascolto.cli.choosing import choose_brand
from ascolto.cli.exits import CliError
from ascolto.cli.opening import open_house
from ascolto.cli.output import JsonFlag, progress, say, write_json

if TYPE_CHECKING:
    from ascolto.wiring import House


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(import_file)


def import_file(
    file: Annotated[Path, typer.Argument(help="CSV, JSON or JSON lines.", exists=True, dir_okay=False)],
    brand: Annotated[str, typer.Option("--brand", help="Slug of the brand the posts are about.")],
    mapping: Annotated[
        Path | None,
        typer.Option(
            "--map",
            help="Mapping that says which field is what (docs/connectors/archive.md).",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an interrupted import stopped.")] = False,
    rejects: Annotated[
        Path | None, typer.Option("--rejects", help="Also write the rows that cannot be read to this file.")
    ] = None,
    create_brand: Annotated[
        bool, typer.Option("--create-brand", help="Add the brand, named like its slug, if there is none yet.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Load an archive as history: threads, authors, answers; what cannot be read goes to quarantine."""
    from inbox.listening.importing import import_archive

    with open_house() as house:
        _ensure_brand(house, brand, is_wanted=create_brand)
    with open_house() as house, progress("Importing", total=file.stat().st_size) as bar:
        report = import_archive(
            house.store,
            brand_slug=brand,
            path=file,
            mapping=mapping,
            resume=resume,
            progress=bar.update,
            rejects=rejects,
            clock=house.clock,
            tombstone_key=house.tombstone_key,
        )
    if as_json:
        write_json(
            {
                "read": report.read,
                "stored": report.stored,
                "duplicates": report.duplicates,
                "quarantined": report.quarantined,
                "conversations": report.conversations,
            }
        )
        return
    say(
        f"{report.stored:,} posts stored in {report.conversations:,} conversations, "
        f"{report.duplicates:,} known already, {report.quarantined:,} in quarantine."
    )


def _ensure_brand(house: "House", slug: str, *, is_wanted: bool) -> None:
    """Refuse an unknown brand before anything is read, with the brands there are; or add it when asked to."""
    from inbox.store.queries.brands import find_brand
    from inbox.store.tables import Brand

    with house.store.write() as session:
        if is_wanted and find_brand(session, slug) is None:
            session.add(Brand(slug=slug, name=slug.replace("-", " ").title(), created_at=house.clock()))
            return
        try:
            choose_brand(session, slug)
        except CliError as error:
            raise CliError(
                error.words, code=error.code, cure="Name one of them, or add --create-brand to begin this one."
            ) from error
