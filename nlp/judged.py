"""A tagger judged on labelled texts, task by task, and two taggers side by side on the same ones."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.adapt import LABELS, TASKS, probabilities_of
from nlp.base import Tagger, Tags
from nlp.batches import join_tags, take_tags
from nlp.evaluate import (
    Figure,
    accuracy_at_coverage,
    bootstrap,
    calibration_error,
    label_f1,
    risk_coverage,
)
from nlp.labelled import Labelled

_BATCH = 256


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """One label: how many texts people gave it, and its F1."""

    label: str
    n: int
    f1: float


@dataclass(frozen=True, slots=True)
class TaskFigures:
    """One task on n texts. macro_f1: over the labels that people or the tagger used, with its 95 % interval.

    right: share of texts with exactly the labels people gave; ece: calibration error of the likeliest label (15 bins);
    at_80: share of likeliest labels right among the surest four fifths; coverage: share not called unsure, of which
    sure_right are right; risk: (coverage, share wrong) at every tenth.
    """

    task: str
    n: int
    macro_f1: Figure
    right: Figure
    ece: float
    at_80: float
    coverage: float
    sure_right: float
    labels: tuple[LabelFigures, ...]
    risk: tuple[tuple[float, float], ...]

    def to_json(self) -> dict[str, Any]:
        """Give it as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Two taggers on one task: macro-F1 of each, and the difference with its 95 % interval (paired bootstrap).

    is_told: the interval leaves zero out.
    """

    task: str
    n: int
    first: float
    second: float
    difference: Figure

    @property
    def is_told(self) -> bool:
        """Whether the difference can be told from chance."""
        return self.difference.low > 0 or self.difference.high < 0


@dataclass(frozen=True, slots=True)
class _Answers:
    gold: NDArray[np.bool_]
    chosen: NDArray[np.bool_]
    sureness: NDArray[np.float32]
    met: NDArray[np.bool_]
    unsure: NDArray[np.bool_]


def tag_labelled(tagger: Tagger, texts: Sequence[Labelled]) -> Tags:
    """Tag every text, with its language as a hint."""
    pieces = []
    for start in range(0, len(texts), _BATCH):
        chunk = texts[start : start + _BATCH]
        pieces.append(tagger.tag([one.text for one in chunk], [one.language for one in chunk]))
    return join_tags(pieces)


def judge_tags(tags: Tags, texts: Sequence[Labelled]) -> list[TaskFigures]:
    """Judge every task that some text is labelled with."""
    return [_judge(task, answers) for task, answers in _by_task(tags, texts).items()]


def compare_tags(first: Tags, second: Tags, texts: Sequence[Labelled]) -> list[Verdict]:
    """Judge two taggers' tags of the same texts against each other."""
    others = _by_task(second, texts)
    return [_compare(task, answers, others[task]) for task, answers in _by_task(first, texts).items()]


def _by_task(tags: Tags, texts: Sequence[Labelled]) -> Mapping[str, _Answers]:
    found = {}
    for task in TASKS:
        rows = [row for row, one in enumerate(texts) if task in one.labels]
        if rows:
            found[task] = _answers(task, take_tags(tags, rows), [texts[row].labels[task] for row in rows])
    return found


def _answers(task: str, tags: Tags, labels: Sequence[tuple[str, ...]]) -> _Answers:
    names = LABELS[task]
    likely = probabilities_of(tags, task)
    gold = np.array([[name in row for name in names] for row in labels], dtype=np.bool_)
    best = likely.argmax(axis=1)
    if task == "intents":
        chosen = np.array([[name in row for name in names] for row in tags.intent_labels], dtype=np.bool_)
    else:
        chosen = np.asarray(np.eye(len(names), dtype=np.bool_)[best])
    every = np.arange(len(labels))
    return _Answers(gold, chosen, likely[every, best], gold[every, best], getattr(tags, f"{task}_unsure"))


def _judge(task: str, answers: _Answers) -> TaskFigures:
    gold, chosen, n = answers.gold, answers.chosen, len(answers.gold)
    right = (gold == chosen).all(axis=1)
    is_sure = ~answers.unsure
    scores = label_f1(gold, chosen)
    return TaskFigures(
        task=task,
        n=n,
        macro_f1=bootstrap(lambda rows: _macro(gold[rows], chosen[rows]), n),
        right=bootstrap(lambda rows: float(right[rows].mean()), n),
        ece=calibration_error(answers.sureness, answers.met),
        at_80=accuracy_at_coverage(answers.sureness, answers.met),
        coverage=float(is_sure.mean()),
        sure_right=float(answers.met[is_sure].mean()) if is_sure.any() else 0.0,
        labels=tuple(
            LabelFigures(name, int(gold[:, place].sum()), float(scores[place]))
            for place, name in enumerate(LABELS[task])
            if gold[:, place].any() or chosen[:, place].any()
        ),
        risk=tuple(risk_coverage(answers.sureness, answers.met)),
    )


def _compare(task: str, first: _Answers, second: _Answers) -> Verdict:
    n = len(first.gold)

    def difference(rows: NDArray[np.intp]) -> float:
        gold = first.gold[rows]
        return _macro(gold, second.chosen[rows]) - _macro(gold, first.chosen[rows])

    return Verdict(
        task=task,
        n=n,
        first=_macro(first.gold, first.chosen),
        second=_macro(second.gold, second.chosen),
        difference=bootstrap(difference, n),
    )


def _macro(gold: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> float:
    """Mean F1 of the labels that people or the tagger used."""
    used = gold.any(axis=0) | chosen.any(axis=0)
    return float(label_f1(gold, chosen)[used].mean()) if used.any() else 0.0
