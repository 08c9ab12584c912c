"""How far two readers agree on our labels, and what was settled where they did not.

    python -m nlp.corpus.agreement

`second.jsonl` holds a second reading of every post, made blind: without the first labels in view. `settled.jsonl`
holds each disagreement with both labels and the one that a third reading of the guidelines chose; the batches carry
the settled label. Krippendorff's alpha: 1 is full agreement, 0 what chance gives; nominal for kinds, ordinal for
sentiment and urgency (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability").
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from nlp.base import EMOTIONS, INTENTS, SENTIMENTS
from nlp.corpus.check import FOLDER, CorpusError, LabelledPost

TASKS = ("sentiment", "intents", "emotion", "toxicity", "urgency")
Level = Literal["nominal", "ordinal"]
Label = str | bool | int | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One post and task on which the two readings differ, and what was settled."""

    id: str
    task: str
    first: Label
    second: Label
    settled: Label


@dataclass(frozen=True, slots=True)
class Agreement:
    """Alpha of one task, and the share of posts on which both readings are the same; n posts."""

    task: str
    alpha: float
    same: float
    n: int


def load_second(folder: Path = FOLDER) -> dict[str, dict[str, Label]]:
    """Read the second reading: id → task → label. Raises CorpusError naming file and line."""
    return {
        str(row["id"]): {task: _label(row[task]) for task in TASKS} for row in _rows(folder / "second.jsonl", TASKS)
    }


def load_settled(folder: Path = FOLDER) -> list[Disagreement]:
    """Read what was settled. Raises CorpusError naming file and line."""
    keys = ("task", "first", "second", "settled")
    return [
        Disagreement(str(row["id"]), str(row["task"]), *(_label(row[key]) for key in keys[1:]))
        for row in _rows(folder / "settled.jsonl", keys)
    ]


def _rows(file: Path, keys: Sequence[str]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            missing = {"id", *keys} - set(row)
        except (ValueError, TypeError) as error:
            raise CorpusError(f"{file.name} line {number}: {error}") from error
        if missing:
            raise CorpusError(f"{file.name} line {number}: no {', '.join(sorted(missing))}")
        rows.append(row)
    return rows


def _label(value: object) -> Label:
    if isinstance(value, list):
        return tuple(sorted(str(one) for one in value))
    if isinstance(value, str | bool | int):
        return value
    raise CorpusError(f"{value!r} is no label")


def label_of(post: LabelledPost, task: str) -> Label:
    """Give a post's own label of a task; intents in the order of the alphabet."""
    return _label(list(post.intents) if task == "intents" else getattr(post, task))


def find_unsettled(posts: Sequence[LabelledPost], folder: Path = FOLDER) -> list[str]:
    """Say what is not in order: posts read once, disagreements not settled, settled labels the batches do not carry."""
    second = load_second(folder)
    settled = {(one.id, one.task): one for one in load_settled(folder)}
    known = {post.id for post in posts}
    faults = [f"{post.id}: read once" for post in posts if post.id not in second]
    faults += [f"{one}: no such post" for one in sorted({*second, *(key[0] for key in settled)} - known)]
    for post in posts:
        for task in TASKS if post.id in second else ():
            here, there, one = label_of(post, task), second[post.id][task], settled.get((post.id, task))
            if one is None:
                if here != there:
                    faults.append(f"{post.id}: {task} is not settled: {here} or {there}")
            elif one.settled != here or one.second != there:
                faults.append(f"{post.id}: {task} was settled as {one.settled}, not {here}")
    return faults


def measure_agreement(posts: Sequence[LabelledPost], folder: Path = FOLDER) -> list[Agreement]:
    """Give alpha by task over these posts; intents one by one, and their mean under "intents"."""
    second = load_second(folder)
    settled = {(one.id, one.task): one for one in load_settled(folder)}
    read = [post for post in posts if post.id in second]
    pairs: dict[str, list[tuple[Label, Label]]] = {
        task: [
            (
                settled[post.id, task].first if (post.id, task) in settled else label_of(post, task),
                second[post.id][task],
            )
            for post in read
        ]
        for task in TASKS
    }
    found = [
        _measure("sentiment", pairs["sentiment"], lambda label: SENTIMENTS.index(str(label)), "ordinal"),
        _measure("emotion", pairs["emotion"], lambda label: EMOTIONS.index(str(label)), "nominal"),
        _measure("toxicity", pairs["toxicity"], lambda label: int(bool(label)), "nominal"),
        _measure("urgency", pairs["urgency"], lambda label: int(str(label)), "ordinal"),
    ]
    by_intent = [
        _measure(
            intent,
            [(intent in _members(first), intent in _members(other)) for first, other in pairs["intents"]],
            lambda label: int(bool(label)),
            "nominal",
        )
        for intent in INTENTS
    ]
    same = float(np.mean([first == other for first, other in pairs["intents"]])) if read else 0.0
    mean = float(np.mean([one.alpha for one in by_intent]))
    return [*found, Agreement("intents", mean, same, len(read)), *by_intent]


def _members(label: Label) -> tuple[str, ...]:
    return label if isinstance(label, tuple) else ()


def _measure(task: str, pairs: Sequence[tuple[Label, Label]], code: Callable[[Label], int], level: Level) -> Agreement:
    # A tool of whoever works on the corpus: the library is no part of an installation.
    import krippendorff

    codes = np.array([[code(first), code(other)] for first, other in pairs]).T
    if not codes.size:
        return Agreement(task, 0.0, 0.0, 0)
    same = float((codes[0] == codes[1]).mean())
    if len(np.unique(codes)) < 2:  # noqa: PLR2004 - one value only: alpha is not defined, and nobody disagrees
        return Agreement(task, 1.0, same, codes.shape[1])
    alpha = krippendorff.alpha(reliability_data=codes, level_of_measurement=level)
    return Agreement(task, float(alpha), same, codes.shape[1])


def tell(by_language: Mapping[str, Sequence[Agreement]]) -> str:
    """Write the figures as a Markdown table, one column pair a language."""
    languages = list(by_language)
    lines = ["| | " + " | ".join(f"alpha, {one} | same, {one}" for one in languages) + " |"]
    lines.append("|---" * (1 + 2 * len(languages)) + "|")
    for place, one in enumerate(by_language[languages[0]]):
        cells = [f"{by_language[code][place].alpha:.2f} | {by_language[code][place].same:.1%}" for code in languages]
        lines.append(f"| {one.task} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    """Print the figures and what is not settled; give the exit code."""
    from nlp.corpus.check import LANGUAGES, load_corpus

    posts = load_corpus()
    faults = find_unsettled(posts)
    table = tell({code: measure_agreement([post for post in posts if post.language == code]) for code in LANGUAGES})
    sys.stdout.write("\n".join([table, *faults, f"{len(posts)} posts, {len(faults)} faults"]) + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
