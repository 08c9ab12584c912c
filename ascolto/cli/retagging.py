"""The command that reads posts again whose tags are an older tagger's."""

import sys
from datetime import datetime
from typing import Annotated

import typer

from ascolto.cli.choosing import choose_brand
from ascolto.cli.exits import CliError
from ascolto.cli.opening import open_house
from ascolto.cli.output import JsonFlag, progress, say, write_json


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("retag")(retag)


def retag(
    brand: Annotated[str | None, typer.Option("--brand", help="Only this brand's posts.")] = None,
    since: Annotated[
        datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="Only posts from this day on (UTC).")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Stop after about so many posts.")] = None,
    count: Annotated[bool, typer.Option("--count", help="Only say how many posts carry old tags.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Read posts again that an older version of the tagger has tagged, the newest first.

    What people corrected stays as they said. It may be stopped at any time, and goes on where it stopped; a running
    server does the same little by little by itself.
    """
    from datetime import UTC

    from ascolto.jobs.tag_steps import patient_taggers
    from inbox.listening.retagging import BATCH, count_old, is_fit, retag_some

    after = since.replace(tzinfo=UTC) if since else None
    done = 0
    with open_house() as house:
        in_use = patient_taggers(house)
        with house.store.read() as session:
            brand_id = None if brand is None else choose_brand(session, brand).id
            waiting = count_old(session, in_use, since=after, brand_id=brand_id, cap=sys.maxsize)
        if not count:
            if waiting and not is_fit(in_use.usual):
                raise CliError(
                    "The tagger that should read them cannot be used now; the one in its place would do worse.",
                    cure="`ascolto doctor` says what is wrong with it.",
                )
            most = min(waiting, limit or waiting)
            with progress("Reading again", total=most) as bar:
                while done < most:
                    size = min(BATCH, most - done)
                    step = retag_some(house.store, in_use, house.clock(), limit=size, since=after, brand_id=brand_id)
                    done += step.posts
                    bar.update(done)
                    if not (step.has_more and step.posts):
                        break
            with house.store.read() as session:
                waiting = count_old(session, in_use, since=after, brand_id=brand_id, cap=sys.maxsize)
        name = in_use.usual.name
    if as_json:
        write_json({"tagger": name, "retagged": done, "old": waiting})
    elif count:
        say(f"{waiting:,} posts carry tags of an older tagger than {name}.")
    else:
        say(f"{done:,} posts read again by {name}; {waiting:,} still carry older tags.")
