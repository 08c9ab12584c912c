"""Adapting a tagger to one brand: refits from people's labels, laid over probabilities that are calibrated already.

    found = refit(gold, tags, calibration, standing=others)     # `tags` of the texts of `gold`, as shipped
    tags = found.adaptation("encoder.v1+b1").apply(tagger.tag(texts))

What it lies over is the finished probability, so it costs a few additions a post, needs no second run of a model and
means the same whichever tier answered. Storing it, and deciding to use it, is inbox/listening/adaptation.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.base import EMOTIONS, INTENTS, SENTIMENTS, URGENCIES, Tagger, Tags
from nlp.calibration import AnyOf, Calibration, OneOf, YesNo
from nlp.held_back import TaskReport, Verdict, judge
from nlp.intent import choose_intents
from nlp.learning import Evidence, Learnt, Part, learn
from nlp.refit import Shift, to_logits, to_pair

TOXICITIES = ("civil", "toxic")
LABELS: Mapping[str, tuple[str, ...]] = {
    "sentiment": SENTIMENTS,
    "intents": INTENTS,
    "emotion": EMOTIONS,
    "toxicity": TOXICITIES,
    "urgency": URGENCIES,
}
TASKS = tuple(LABELS)


@dataclass(frozen=True, slots=True)
class Gold:
    """A person's word on one task of a post. `shown`: what the machine had said; the same labels are a confirmation."""

    task: str
    labels: tuple[str, ...]
    shown: tuple[str, ...]

    @property
    def is_confirmation(self) -> bool:
        """Whether the machine was right."""
        return set(self.labels) == set(self.shown)


@dataclass(frozen=True, slots=True)
class TaskShift:
    """What changes for one task in one language.

    scales and shifts are laid over log-probabilities (one scale, a shift a class) or, for intents, over log-odds (one
    of each a label). Under `floor` a post is unsure; an intent is chosen from its limit.
    """

    scales: tuple[float, ...]
    shifts: tuple[float, ...]
    floor: float
    limits: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Adaptation:
    """A brand's adaptation: the tagger's name under it ("encoder.v1+b3"), and shifts by language and task.

    Languages and tasks that are not named stay as they are.
    """

    name: str
    shifts: Mapping[str, Mapping[str, TaskShift]]

    @property
    def version(self) -> str:
        """The part of the name that is the brand's own ("b3")."""
        return self.name.rpartition("+")[2]

    def apply(self, tags: Tags) -> Tags:
        """Give the tags as this brand reads them. Posts with errors, or decided by a rule, are left alone."""
        changed = _Changed.copy_of(tags)
        skipped = np.zeros(len(tags), dtype=np.bool_)
        skipped[[*tags.errors, *tags.rules]] = True
        languages = np.array(tags.languages)
        for language, by_task in self.shifts.items():
            rows = np.flatnonzero((languages == language) & ~skipped)
            for task, shift in by_task.items() if len(rows) else ():
                changed.shift(task, rows, shift)
        return changed.onto(tags, self)

    def to_json(self) -> dict[str, Any]:
        """Give the shifts as plain values; `adaptation_from_json` reads them."""
        return {
            language: {
                task: {
                    "scales": list(shift.scales),
                    "shifts": list(shift.shifts),
                    "floor": shift.floor,
                    "limits": list(shift.limits),
                }
                for task, shift in by_task.items()
            }
            for language, by_task in self.shifts.items()
        }


class AdaptedTagger:
    """A tagger as one brand reads it."""

    def __init__(self, tagger: Tagger, adaptation: Adaptation) -> None:
        self._tagger = tagger
        self._adaptation = adaptation

    @property
    def name(self) -> str:
        """The adaptation's own name, as stored with every tag."""
        return self._adaptation.name

    def tag(self, texts: Sequence[str], languages: Sequence[str | None] | None = None) -> Tags:
        """Tag a batch."""
        return self._adaptation.apply(self._tagger.tag(texts, languages))


def adaptation_from_json(name: str, value: Mapping[str, Any]) -> Adaptation:
    """Read what `to_json` gave. ValueError, naming language and task, where numbers are missing or too many."""
    shifts: dict[str, dict[str, TaskShift]] = {}
    for language, by_task in value.items():
        for task, one in by_task.items():
            shift = TaskShift(
                scales=tuple(float(number) for number in one["scales"]),
                shifts=tuple(float(number) for number in one["shifts"]),
                floor=float(one["floor"]),
                limits=tuple(float(number) for number in one.get("limits", ())),
            )
            if (len(shift.scales), len(shift.shifts), len(shift.limits)) != _sizes(task):
                raise ValueError(f"the adaptation {name} does not fit the task {task} in {language}")
            shifts.setdefault(language, {})[task] = shift
    return Adaptation(name, shifts)


def _sizes(task: str) -> tuple[int, int, int]:
    count = len(LABELS.get(task, ()))
    return (count, count, count) if task == "intents" else (1, count, 0)


def probabilities_of(tags: Tags, task: str) -> NDArray[np.float32]:
    """(n, labels of the task) float32; of toxicity the two columns civil and toxic."""
    if task == "toxicity":
        return np.column_stack([1 - tags.toxicity, tags.toxicity])
    found: NDArray[np.float32] = getattr(tags, task)
    return found


@dataclass(slots=True)
class _Changed:
    """Copies of the arrays that an adaptation changes."""

    probabilities: dict[str, NDArray[np.float32]]
    unsure: dict[str, NDArray[np.bool_]]
    intent_labels: list[tuple[str, ...]]

    @classmethod
    def copy_of(cls, tags: Tags) -> "_Changed":
        return cls(
            probabilities={task: np.array(probabilities_of(tags, task)) for task in TASKS},
            unsure={task: np.array(getattr(tags, f"{task}_unsure")) for task in TASKS},
            intent_labels=list(tags.intent_labels),
        )

    def shift(self, task: str, rows: NDArray[np.intp], shift: TaskShift) -> None:
        old = self.probabilities[task][rows]
        if task == "intents":
            pairs = [Shift(*one) for one in zip(shift.scales, map(_halves, shift.shifts), strict=True)]
            columns = [pair.apply(to_pair(old[:, place]))[:, 1] for place, pair in enumerate(pairs)]
            new = np.column_stack(columns).astype(np.float32)
            for row, chosen in zip(rows, choose_intents(new, shift.limits), strict=True):
                self.intent_labels[row] = chosen
        else:
            new = Shift(shift.scales[0], np.array(shift.shifts)).apply(to_logits(old)).astype(np.float32)
        self.probabilities[task][rows] = new
        self.unsure[task][rows] = new.max(axis=1) < shift.floor

    def onto(self, tags: Tags, adaptation: Adaptation) -> Tags:
        return replace(
            tags,
            sentiment=self.probabilities["sentiment"],
            sentiment_unsure=self.unsure["sentiment"],
            intents=self.probabilities["intents"],
            intents_unsure=self.unsure["intents"],
            intent_labels=tuple(self.intent_labels),
            emotion=self.probabilities["emotion"],
            emotion_unsure=self.unsure["emotion"],
            toxicity=self.probabilities["toxicity"][:, 1],
            toxicity_unsure=self.unsure["toxicity"],
            urgency=self.probabilities["urgency"],
            urgency_unsure=self.unsure["urgency"],
            tagger=adaptation.name,
            stand_ins={row: f"{one}+{adaptation.version}" for row, one in tags.stand_ins.items()},
        )


def _halves(move: float) -> NDArray[np.float64]:
    """Give the shift of a label's log-odds as of two classes, without and with it."""
    return np.array([-move / 2, move / 2])


@dataclass(frozen=True, slots=True)
class Refit:
    """What labels taught: a report a task, and the shifts of the tasks that may be used.

    Where some tasks are clearly better only these are in; else those that are not worse, for a person to decide.
    """

    reports: tuple[TaskReport, ...]
    shifts: Mapping[str, Mapping[str, TaskShift]]

    @property
    def is_accepted(self) -> bool:
        """Whether there is anything that is not worse on labels held back."""
        return bool(self.shifts)

    @property
    def is_clear(self) -> bool:
        """Whether what is in is better by more than chance."""
        return any(report.verdict is Verdict.CLEAR for report in self.reports)

    def adaptation(self, name: str) -> Adaptation:
        """Give it for use under a name."""
        return Adaptation(name, self.shifts)


def refit(gold: Sequence[Gold], tags: Tags, calibration: Calibration, *, standing: Tags | None = None) -> Refit:
    """Fit every task to people's labels and judge each on labels held back.

    Row i of `tags` is the text of gold[i]; `standing` are posts nobody objected to. Both by the tagger as shipped,
    whose `calibration` says where it is unsure.
    """
    evidence = [gather(task, gold, tags, calibration, standing) for task in TASKS]
    reports = tuple(judge(one) for one in evidence if len(one))
    wanted = Verdict.CLEAR if any(report.verdict is Verdict.CLEAR for report in reports) else Verdict.SLIGHT
    used = {report.task for report in reports if report.verdict is wanted}
    shifts: dict[str, dict[str, TaskShift]] = {}
    for one in evidence:
        if one.task in used:
            learnt = learn(one, np.ones(len(one), dtype=np.bool_))
            for language in learnt.shifts:
                shifts.setdefault(language, {})[one.task] = _task_shift(one, learnt, language)
    return Refit(reports, shifts)


def gather(
    task: str, gold: Sequence[Gold], tags: Tags, calibration: Calibration, standing: Tags | None = None
) -> Evidence:
    """Bring one task's labels and the machine's probabilities together; texts it cannot read are left out."""
    known = calibration.languages
    rows = [
        row
        for row, one in enumerate(gold)
        if one.task == task and tags.languages[row] in known and row not in tags.errors and row not in tags.rules
    ]
    others = [] if standing is None else [
        row
        for row, language in enumerate(standing.languages)
        if language in known and row not in standing.errors and row not in standing.rules
    ]  # fmt: skip
    likely = probabilities_of(tags, task)[rows]
    languages = [tags.languages[row] for row in rows]
    if standing is not None:
        likely = np.concatenate([likely, probabilities_of(standing, task)[others]])
        languages += [standing.languages[row] for row in others]
    limits = _limits(calibration) if task == "intents" else {}
    decided = _decide(task, likely, languages, limits)
    truth = decided.copy()  # of standing posts nothing else is known
    truth[: len(rows)] = [[label in gold[row].labels for label in LABELS[task]] for row in rows] or truth[:0]
    return Evidence(
        task=task,
        parts=_parts(task, likely, truth, decided),
        languages=np.array(languages, dtype=np.str_),
        corrected=np.array([not gold[row].is_confirmation for row in rows] + [False] * len(others), dtype=np.bool_),
        standing=np.arange(len(languages)) >= len(rows),
        floors={language: _floor(calibration, language, task) for language in known},
        limits=limits,
    )


def _parts(
    task: str, likely: NDArray[np.float32], truth: NDArray[np.bool_], decided: NDArray[np.bool_]
) -> tuple[Part, ...]:
    if task != "intents":
        return (Part(to_logits(likely), truth.argmax(axis=1), decided.argmax(axis=1)),)
    return tuple(
        Part(to_pair(likely[:, place]), truth[:, place].astype(np.int64), decided[:, place].astype(np.int64))
        for place in range(likely.shape[1])
    )


def _decide(
    task: str, likely: NDArray[np.float32], languages: Sequence[str], limits: Mapping[str, tuple[float, ...]]
) -> NDArray[np.bool_]:
    """(n, labels) bool: what the machine says as shipped."""
    if task != "intents":
        return np.asarray(np.eye(likely.shape[1], dtype=np.bool_)[likely.argmax(axis=1)])
    edges = np.array([limits[language] for language in languages]).reshape(-1, len(INTENTS))
    return np.asarray(likely >= edges)


def _limits(calibration: Calibration) -> dict[str, tuple[float, ...]]:
    tasks = {language: found.tasks.get("intent") for language, found in calibration.languages.items()}
    return {language: found.thresholds for language, found in tasks.items() if isinstance(found, AnyOf)}


def _floor(calibration: Calibration, language: str, task: str) -> float:
    found = calibration.languages[language].tasks.get("intent" if task == "intents" else task)
    match found:
        case AnyOf():
            return found.floor
        case OneOf() | YesNo():
            return found.threshold
    return 1.0  # a model without this task is never sure of it


def _task_shift(evidence: Evidence, learnt: Learnt, language: str) -> TaskShift:
    shifts = learnt.shifts[language]
    if evidence.is_multi_label:
        return TaskShift(
            scales=tuple(round(one.scale, 5) for one in shifts),
            shifts=tuple(round(float(one.shifts[1] - one.shifts[0]), 5) for one in shifts),
            floor=learnt.floors[language],
            limits=learnt.limits[language],
        )
    (only,) = shifts
    return TaskShift(
        scales=(round(only.scale, 5),),
        shifts=tuple(round(float(move), 5) for move in only.shifts),
        floor=learnt.floors[language],
    )
