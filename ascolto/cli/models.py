"""Commands about the models that read posts: what is installed, how good it is, what it may learn."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ascolto.cli.choosing import choose_brand
from ascolto.cli.exits import CliError, ExitCode
from ascolto.cli.opening import open_house, open_settings, start_logs
from ascolto.cli.output import JsonFlag, answer, progress, say, write_json, write_table

if TYPE_CHECKING:
    from inbox.store.tables import Adaptation
    from nlp.base import Tagger
    from nlp.held_back import TaskReport
    from nlp.judged import TaskFigures
    from nlp.labelled import Labelled

group = typer.Typer(help="The models that read posts.", no_args_is_help=True)

_MODEL_HELP = "A model's name, or its folder; the model in use if left out."
_BRAND_HELP = "Read as this brand does: the model in use, with the adaptation that is active for it."
_FILE_HELP = 'JSON lines with "text" and any of sentiment, intents, emotion, toxicity, urgency; "language" helps.'


@group.command("list")
def list_installed(as_json: JsonFlag = False) -> None:
    """Say which models are installed, whether their files are whole, and which one reads posts."""
    from ascolto.wiring import model_in_use
    from nlp.installed import list_models
    from nlp.pipeline import check_model

    settings = open_settings()
    start_logs(settings)
    health = check_model(*model_in_use(settings))
    models = list_models(is_checked=True)
    if as_json:
        write_json(
            {
                "in_use": health.tier,
                "degraded": health.degraded,
                "models": [
                    {
                        "name": one.name, "folder": one.folder, "kind": one.kind, "languages": one.languages,
                        "bytes": one.size_bytes, "problem": one.problem,
                    }
                    for one in models
                ],
            }
        )  # fmt: skip
        return
    write_table(
        ["model", "kind", "languages", "MB", "state"],
        [
            (
                one.name,
                one.kind,
                " ".join(one.languages),
                f"{one.size_bytes / 1e6:.1f}",
                one.problem or ("in use" if one.name == health.tier else "whole"),
            )
            for one in models
        ],
    )
    if health.degraded:
        say(health.degraded)


@group.command("card")
def show_card(name: Annotated[str, typer.Argument(help="The model's name.")]) -> None:
    """Print a model's card: what it was made of, how good it is, what it cannot do."""
    from nlp.installed import list_models, read_card

    card = read_card(name)
    if card is None:
        known = ", ".join(one.name for one in list_models() if one.has_card)
        raise CliError(f'There is no card of "{name}". Models here: {known}.', code=ExitCode.NOT_FOUND)
    answer(card.rstrip("\n"))


@group.command("evaluate")
def evaluate(
    file: Annotated[Path, typer.Argument(help=_FILE_HELP, exists=True, dir_okay=False)],
    model: Annotated[str | None, typer.Option("--model", help=_MODEL_HELP)] = None,
    brand: Annotated[str | None, typer.Option("--brand", help=_BRAND_HELP)] = None,
    as_json: JsonFlag = False,
) -> None:
    """Judge a model on your own labelled posts: macro-F1 with its 95 % interval, labels, calibration, coverage."""
    from nlp.judged import judge_tags, tag_labelled

    texts = _read(file)
    with _open_tagger(model, brand) as tagger:
        tags = tag_labelled(tagger, texts)
    figures = judge_tags(tags, texts)
    if as_json:
        tasks = [one.to_json() for one in figures]
        write_json({"tagger": tags.tagger, "file": str(file), "texts": len(texts), "tasks": tasks})
        return
    say(f"{tags.tagger} on {len(texts):,} texts of {file.name}")
    write_table(
        ["task", "n", "macro-F1 %", "exactly right %", "ECE %", "right at 80 %", "sure of", "right of the sure"],
        [
            (
                one.task, one.n, one.macro_f1, one.right, f"{100 * one.ece:.1f}", f"{100 * one.at_80:.1f}",
                f"{100 * one.coverage:.0f} %", f"{100 * one.sure_right:.1f}",
            )
            for one in figures
        ],
    )  # fmt: skip
    write_table(["task", "label", "n", "F1 %"], _label_rows(figures))


@group.command("compare")
def compare(
    file: Annotated[Path, typer.Argument(help=_FILE_HELP, exists=True, dir_okay=False)],
    first: Annotated[str, typer.Argument(help='A model: name, folder, or "brand:SLUG" as that brand reads.')],
    second: Annotated[str, typer.Argument(help="The other, likewise.")],
    as_json: JsonFlag = False,
) -> None:
    """Judge two models on the same labelled posts: the difference, and whether it can be told from chance.

    The interval is of the paired bootstrap over 1,000 draws.
    """
    from nlp.judged import compare_tags, tag_labelled

    texts = _read(file)
    tags = []
    for spec in (first, second):
        is_brand = spec.startswith("brand:")
        with _open_tagger(None if is_brand else spec, spec.removeprefix("brand:") if is_brand else None) as tagger:
            tags.append(tag_labelled(tagger, texts))
    verdicts = compare_tags(tags[0], tags[1], texts)
    if as_json:
        write_json(
            {
                "first": tags[0].tagger,
                "second": tags[1].tagger,
                "texts": len(texts),
                "tasks": [
                    {
                        "task": one.task, "n": one.n, "first": one.first, "second": one.second,
                        "difference": one.difference.value, "low": one.difference.low, "high": one.difference.high,
                        "is_told": one.is_told,
                    }
                    for one in verdicts
                ],
            }
        )  # fmt: skip
        return
    write_table(
        ["task", "n", tags[0].tagger, tags[1].tagger, "difference of macro-F1", ""],
        [
            (
                one.task, one.n, f"{100 * one.first:.1f}", f"{100 * one.second:.1f}", one.difference,
                "told from chance" if one.is_told else "may be chance",
            )
            for one in verdicts
        ],
    )  # fmt: skip


@group.command("adapt")
def adapt(
    brand: Annotated[str, typer.Option("--brand", help="Slug of the brand.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Fit and judge, but store nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Fit a brand's reading to what people corrected and confirmed, now instead of at the next thirty labels.

    Used at once where labels held back say that it is clearly better; every fit is kept, with its figures, under
    Models in the settings, where it can be undone.
    """
    from inbox.listening.adaptation import adapt_brand, calibration_of, fit, read_lesson, tagger_name
    from nlp.held_back import report_from_json

    with open_house() as house:
        with house.store.read() as session:
            brand_id = choose_brand(session, brand).id
            lesson = read_lesson(session, brand_id)
        if not lesson.gold:
            raise CliError(f'Nobody has corrected or confirmed a label of "{brand}" yet.', code=ExitCode.CONFLICT)
        if calibration_of(house.tagger) is None:
            raise CliError(f"{house.tagger.name} cannot be adapted.", code=ExitCode.CONFLICT)
        with progress("Fitting"):
            if dry_run:
                found = fit(lesson, house.tagger)
                row, reports = None, list(found.reports) if found else []
            else:
                row = adapt_brand(house.store, brand_id, house.tagger, house.clock())
                reports = [report_from_json(one) for one in row.report["tasks"]] if row else []
    if row is None and not dry_run:
        raise CliError("Another process stored a fit meanwhile.", code=ExitCode.CONFLICT, cure="Look at Models first.")
    if as_json:
        stored = None if row is None else {"version": row.version, "state": row.state.value, "tagger": tagger_name(row)}
        write_json({"brand": brand, "stored": stored, "tasks": [report.to_json() for report in reports]})
        return
    _tell_fit(row, reports)


@group.command("train", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def train(
    context: typer.Context,
    step: Annotated[
        str, typer.Argument(help="ngrams, or a step of the encoder: vocabulary, teacher, student, finish.")
    ],
) -> None:
    """Train a model anew, from a checkout of the sources; the step's own options follow its name.

    ngrams (tier 0) needs scikit-learn and the public sets; the steps of the encoder (tier 1) need torch as well.
    """
    import runpy

    module = _TRAINING.get(step)
    if module is None:
        raise CliError(f'There is no step "{step}". Steps: {", ".join(_TRAINING)}.', code=ExitCode.USAGE)
    _check_training(step, module)
    before = sys.argv
    sys.argv = [f"ascolto models train {step}", *context.args]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=False)
    except SystemExit as end:  # the step's own command line was wrong, or it showed its help
        raise typer.Exit(end.code if isinstance(end.code, int) else int(ExitCode.FAILED)) from end
    finally:
        sys.argv = before


_TRAINING = {
    "ngrams": "nlp.train.first",
    "source": "nlp.train.encoder_source",
    "vocabulary": "nlp.train.encoder_vocabulary",
    "teacher": "nlp.train.teacher",
    "student": "nlp.train.student",
    "finish": "nlp.train.finish",
}
_WITHOUT_TORCH = frozenset({"ngrams", "source"})


def _check_training(step: str, module: str) -> None:
    from importlib.util import find_spec

    try:
        is_here = find_spec(module) is not None
    except ModuleNotFoundError:
        is_here = False
    if not is_here:
        raise CliError(
            "The training code is not part of an installation.",
            code=ExitCode.CONFIGURATION,
            cure="Run this in a checkout of the sources; docs/models.md tells the steps.",
        )
    if find_spec("sklearn") is None:
        raise CliError(
            "Training needs scikit-learn.",
            code=ExitCode.CONFIGURATION,
            cure="Install what the project is developed with: pip install -r requirements-dev.txt",
        )
    if step not in _WITHOUT_TORCH and find_spec("torch") is None:
        raise CliError(
            f'The step "{step}" needs torch, which nothing else here does.',
            code=ExitCode.CONFIGURATION,
            cure="Install it for training only: pip install torch --index-url https://download.pytorch.org/whl/cpu",
        )


def _read(file: Path) -> "list[Labelled]":
    from nlp.labelled import LabelledFileError, read_labelled

    try:
        return read_labelled(file)
    except LabelledFileError as error:
        raise CliError(f"{error}.", code=ExitCode.USAGE) from error


@contextmanager
def _open_tagger(model: str | None, brand: str | None) -> "Iterator[Tagger]":
    if model is not None and brand is not None:
        raise CliError("Choose one of --model and --brand.", code=ExitCode.USAGE)
    if brand is not None:
        from inbox.listening.adaptation import taggers_of_brands

        with open_house() as house:
            with house.store.read() as session:
                brand_id = choose_brand(session, brand).id
                own = taggers_of_brands(session, house.tagger)
            yield own.get(brand_id, house.tagger)
        return
    settings = open_settings()
    start_logs(settings)
    yield _load(model, settings)


def _load(model: str | None, settings: Any) -> "Tagger":
    from ascolto.wiring import model_in_use
    from nlp.model_files import ModelFileError
    from nlp.pipeline import load_tagger

    name, folder = model_in_use(settings)
    if model is not None:
        path = Path(model)
        is_folder = path.is_dir() and (path / "model.json").exists()
        name, folder = (path.name, path.resolve().parent) if is_folder else (model.replace(".", "-"), None)
    try:
        return load_tagger(model=name, folder=folder, strict=True)
    except ModelFileError as error:
        raise CliError(
            f"The model cannot be used: {error}.",
            code=ExitCode.CONFIGURATION,
            cure="`ascolto models list` tells what is installed.",
        ) from error


def _label_rows(figures: "Sequence[TaskFigures]") -> list[tuple[object, ...]]:
    return [(one.task, label.label, label.n, f"{100 * label.f1:.1f}") for one in figures for label in one.labels]


def _tell_fit(row: "Adaptation | None", reports: "Sequence[TaskReport]") -> None:
    write_table(
        ["task", "labels", "corrected", "F1 before %", "F1 after %", "difference", "verdict"],
        [
            (
                one.task,
                one.given,
                one.corrected,
                f"{100 * one.before.f1:.1f}" if one.before else "",
                f"{100 * one.after.f1:.1f}" if one.after else "",
                f"{100 * one.gain:+.1f} ({100 * one.gain_low:+.1f} to {100 * one.gain_high:+.1f})"
                if one.before
                else "",
                one.verdict.value.replace("_", " "),
            )
            for one in reports
            if one.given
        ],
    )
    if row is None:
        say("A dry run: nothing was stored.")
    else:
        words = {"active": "in use from now on", "proposed": "waits for a person to decide", "rejected": "not used"}
        say(f"Version b{row.version} over {row.base}: {words.get(row.state.value, row.state.value)}.")
