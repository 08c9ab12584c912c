"""The command that tags: JSON lines in, the same lines with their tags out, at a constant size in memory."""

import json
import os
import select
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ascolto.cli.exits import CliError, ExitCode
from ascolto.cli.opening import open_house, open_settings, start_logs
from ascolto.cli.output import say

if TYPE_CHECKING:
    from config.settings import Settings
    from nlp.base import Tagger
    from nlp.entities import BrandTerms
    from nlp.hub_tagger import HubTagger
    from nlp.pipeline import EmbeddedTagger, Health

# Far more than any network lets anyone write; a longer line is no post.
MAX_LINE_BYTES = 4_000_000
_READ_BYTES = 1 << 18
Record = dict[str, Any]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("tag")(tag)


def tag(
    brand_file: Annotated[
        Path | None,
        typer.Option(
            "--brand-file", help="Recognise this file's names and apply its rules.", exists=True, dir_okay=False
        ),
    ] = None,
    brands: Annotated[
        bool, typer.Option("--brands", help="Recognise the names of the brands in the database.")
    ] = False,
    batch: Annotated[int | None, typer.Option("--batch", min=1, max=4096, help="Lines tagged at once.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Another model than the settings name: by name, or a model folder.")
    ] = None,
    throughput: Annotated[
        float | None,
        typer.Option(
            "--throughput", min=1, help="Posts a second to keep up with; the model then reads the least sure ones only."
        ),
    ] = None,
) -> None:
    """Tag posts: JSON lines with "text" on standard input, the same lines with "tags" on standard output.

    Every line is answered in its place: one that cannot be read or tagged comes back with "error". A field
    "language" with a two-letter code is taken as a hint.
    """
    settings = open_settings()
    start_logs(settings)
    if brand_file is not None and brands:
        raise CliError("Choose one of --brand-file and --brands.", code=ExitCode.USAGE)
    embedded = _open_tagger(settings, _terms(brand_file, from_database=brands), model=model, throughput=throughput)
    tagger: Tagger = embedded
    told = ""
    if brand_file is not None:
        tagger = _with_rules(tagger, brand_file)
    output = sys.stdout.buffer
    lines = errors = 0
    for group in read_batches(sys.stdin.fileno(), batch or settings.tag_batch):
        answers = tag_lines(tagger, group, first_line=lines + 1)
        output.write(b"".join(encode(record) for record in answers))
        output.flush()
        lines += len(answers)
        errors += sum("error" in record for record in answers)
        told = _tell_once(embedded.health(), told)
    if errors:
        say(f"{lines:,} lines, {errors:,} of them could not be tagged and say why.")


def _open_tagger(
    settings: "Settings", terms: "BrandTerms", *, model: str | None, throughput: float | None
) -> "EmbeddedTagger | HubTagger":
    from ascolto.wiring import tagger_of

    changes = {"nlp_model": model, "nlp_throughput": throughput}
    given = {name: value for name, value in changes.items() if value is not None}
    return tagger_of(settings.model_copy(update=given), terms)


def _tell_once(health: "Health", told: str) -> str:
    """Say why a simpler model reads the posts, unless that was said before; gives what is said now."""
    words = health.degraded or ""
    if words and words != told:
        say(f"{words}. {health.tier} reads the posts instead.")
    return words


def read_batches(descriptor: int, size: int) -> Iterator[list[bytes | None]]:
    """Give lines in groups of up to `size`, without waiting for a group to fill; None for a line too long.

    Lines come as soon as they are there, so that `tag` also serves a stream that never ends.
    """
    batch: list[bytes | None] = []
    for line in _lines(descriptor):
        if line is not _NOTHING_NOW:
            batch.append(line if isinstance(line, bytes) else None)
        if batch and (line is _NOTHING_NOW or len(batch) >= size):
            yield batch
            batch = []
    if batch:
        yield batch


def tag_lines(tagger: "Tagger", lines: Sequence[bytes | None], *, first_line: int = 1) -> list[Record]:
    """Answer each line, in order: its record with tags, or with the error that says what is wrong with it."""
    from nlp.tags_json import tags_to_json

    answers: list[Record] = []
    texts: list[str] = []
    hints: list[str | None] = []
    places: list[int] = []
    for line in lines:
        record, text = parse(line)
        if text is not None:
            places.append(len(answers))
            texts.append(text)
            hint = record.get("language")
            hints.append(hint[:2].lower() if isinstance(hint, str) and hint else None)
        answers.append(record)
    if texts:
        tags = tagger.tag(texts, hints)
        for number, place in enumerate(places):
            if number in tags.errors:
                answers[place]["error"] = tags.errors[number]
            else:
                answers[place]["tags"] = tags_to_json(tags, number)
    for place, answer in enumerate(answers):
        if "error" in answer:
            answer["error"] = f"line {first_line + place}: {answer['error']}"
    return answers


def parse(line: bytes | None) -> tuple[Record, str | None]:  # noqa: PLR0911 - one return a mistake reads best
    """Read a line: its record and text, or a record that holds the error, and None."""
    if line is None:
        return {"error": f"the line is longer than {MAX_LINE_BYTES:,} bytes"}, None
    try:
        record = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        return {"error": f"not UTF-8: byte {error.start}"}, None
    except RecursionError:
        return {"error": "not readable JSON: nested too deeply"}, None
    except ValueError as error:
        return {"error": f"not readable JSON: {error}"}, None
    if not isinstance(record, dict):
        return {"error": 'not a JSON object with a "text"'}, None
    record.pop("error", None)
    record.pop("tags", None)
    text = record.get("text")
    if not isinstance(text, str):
        return {**record, "error": '"text" is missing' if text is None else '"text" is no string'}, None
    return record, text


def encode(record: Mapping[str, Any]) -> bytes:
    """One line of JSON in UTF-8; a text with half a surrogate pair keeps it as an escape."""
    try:
        return json.dumps(record, ensure_ascii=False).encode("utf-8") + b"\n"
    except UnicodeEncodeError:
        return json.dumps(record, ensure_ascii=True).encode("ascii") + b"\n"


class _NothingNow:
    """No line is waiting at the moment."""


_NOTHING_NOW = _NothingNow()


def _lines(descriptor: int) -> Iterator[bytes | _NothingNow | None]:
    rest = bytearray()
    is_skipping = False
    while True:
        if not select.select([descriptor], [], [], 0)[0]:
            yield _NOTHING_NOW
        chunk = os.read(descriptor, _READ_BYTES)
        if not chunk:
            break
        rest += chunk
        *whole, last = rest.split(b"\n")
        for line in whole:
            if is_skipping or len(line) > MAX_LINE_BYTES:
                is_skipping = False
                yield None
            else:
                yield bytes(line).removesuffix(b"\r")
        rest = bytearray() if is_skipping and not whole else bytearray(last)
        if len(rest) > MAX_LINE_BYTES:
            is_skipping, rest = True, bytearray()
    if is_skipping:
        yield None
    elif rest:
        yield bytes(rest)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _terms(brand_file: Path | None, *, from_database: bool) -> "BrandTerms":
    from nlp.entities import BrandTerms

    if from_database:
        from inbox.store.queries.brands import read_brand_terms

        with open_house() as house, house.store.read() as session:
            return read_brand_terms(session)
    if brand_file is None:
        return BrandTerms()
    from config.brand import load_brand_file
    from inbox.listening.brands import terms_of

    return terms_of(load_brand_file(brand_file))


def _with_rules(tagger: "Tagger", brand_file: Path) -> "Tagger":
    from config.brand import load_brand_file
    from inbox.listening.brands import rules_of
    from nlp.rulesets import RuledTagger, RuleError, Rulesets, check_rules

    rules = rules_of(load_brand_file(brand_file))
    try:
        check_rules(rules)
    except RuleError as error:
        raise CliError(f"{brand_file}: {error}", code=ExitCode.USAGE) from error
    return RuledTagger(tagger, Rulesets.of(rules)) if rules else tagger
