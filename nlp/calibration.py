"""From raw scores to calibrated probabilities, by language and task, and where not to trust them.

One way for every model: the n-gram heads, the encoder and what a brand's corrections have refitted. A calibration is
plain numbers, written to and read from JSON without loss; fitting them is nlp/train's and nlp/adapt.py's work.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nlp.base import EMOTIONS, INTENTS, SENTIMENTS, URGENCIES

TOXICITY = ("toxic",)
TASKS: Mapping[str, tuple[str, ...]] = {
    "sentiment": SENTIMENTS,
    "emotion": EMOTIONS,
    "intent": INTENTS,
    "toxicity": TOXICITY,
    "urgency": URGENCIES,
}
TOXIC_FROM = 0.5
_STEEP = 30.0  # beyond it a logistic curve is flat in single precision

Numbers: TypeAlias = tuple[float, ...]
Json: TypeAlias = "dict[str, float | list[float]]"


class CalibrationError(ValueError):
    """Numbers that fit no task; the message says which."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """Calibration of a task with one label: softmax of scores / `temperature` + `biases`, one bias a label.

    Unsure where the likeliest label has less than `threshold`.
    """

    temperature: float
    biases: Numbers
    threshold: float

    def probabilities(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, labels) raw scores → (n, labels) float32, rows sum to 1."""
        shifted = scores.astype(np.float64) / self.temperature + np.array(self.biases)
        shifted -= shifted.max(axis=1, keepdims=True)
        powers = np.exp(shifted)
        shares: NDArray[np.float32] = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        return shares

    def unsure(self, probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(n,) bool: the likeliest label is not likely enough."""
        return np.asarray(probabilities.max(axis=1) < self.threshold)

    def to_json(self) -> Json:
        """Plain numbers, as in model.json."""
        return {"temperature": self.temperature, "biases": list(self.biases), "threshold": self.threshold}


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Calibration of a task with several labels: p = sigmoid(slope * score + offset), by label.

    A label is chosen from its own of `thresholds` on; unsure where the likeliest label lies under `floor`.
    """

    slopes: Numbers
    offsets: Numbers
    thresholds: Numbers
    floor: float

    def probabilities(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, labels) raw scores → (n, labels) float32 in [0, 1], independent."""
        return _logistic(scores.astype(np.float64) * np.array(self.slopes) + np.array(self.offsets))

    def unsure(self, probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(n,) bool: no label is likely enough to be trusted."""
        return np.asarray(probabilities.max(axis=1) < self.floor)

    def to_json(self) -> Json:
        """Plain numbers, as in model.json."""
        return {
            "slopes": list(self.slopes),
            "offsets": list(self.offsets),
            "thresholds": list(self.thresholds),
            "floor": self.floor,
        }


@dataclass(frozen=True, slots=True)
class YesNo:
    """Calibration of a task with one question: p = sigmoid(slope * score + offset).

    Unsure where neither yes nor no has `threshold`.
    """

    slope: float
    offset: float
    threshold: float

    def probabilities(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 1) raw scores → (n, 1) float32 in [0, 1]."""
        return _logistic(scores.astype(np.float64) * self.slope + self.offset)

    def unsure(self, probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(n,) bool: the likelier answer is not likely enough."""
        return np.asarray(np.maximum(probabilities, 1 - probabilities).max(axis=1) < self.threshold)

    def to_json(self) -> Json:
        """Plain numbers, as in model.json."""
        return {"slope": self.slope, "offset": self.offset, "threshold": self.threshold}


TaskCalibration: TypeAlias = OneOf | AnyOf | YesNo


@dataclass(frozen=True, slots=True)
class LanguageCalibration:
    """How to read one language's raw scores, by task of TASKS; a model may lack tasks."""

    tasks: Mapping[str, TaskCalibration]

    def apply(self, task: str, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, labels) raw scores → (n, labels) float32 probabilities, columns TASKS[task]."""
        return self.tasks[task].probabilities(scores)

    def unsure(self, task: str, probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(n,) bool: where `apply`'s answer should not be trusted."""
        return self.tasks[task].unsure(probabilities)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How to read a model's raw scores, by language."""

    languages: Mapping[str, LanguageCalibration]

    def of(self, language: str) -> LanguageCalibration:
        """The calibration of a language; of the first where it has none, whose answers are then nobody's truth."""
        found = self.languages.get(language)
        return found if found is not None else next(iter(self.languages.values()))

    def with_task(self, language: str, task: str, calibration: TaskCalibration) -> "Calibration":
        """Give the same with one task of one language replaced."""
        tasks = {**self.languages[language].tasks, task: calibration}
        return Calibration({**self.languages, language: LanguageCalibration(tasks)})

    def to_json(self) -> dict[str, dict[str, Json]]:
        """As `calibration` in model.json: language → task → numbers."""
        return {
            language: {task: found.to_json() for task, found in calibration.tasks.items()}
            for language, calibration in self.languages.items()
        }

    @classmethod
    def from_json(cls, found: object) -> "Calibration":
        """Read what `to_json` gave; raises CalibrationError naming the language, the task and what is wrong."""
        if not isinstance(found, dict) or not found:
            raise CalibrationError("no language is calibrated")
        return cls({str(language): _read_language(str(language), tasks) for language, tasks in found.items()})


def _logistic(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    likely: NDArray[np.float32] = (1.0 / (1.0 + np.exp(-np.clip(logits, -_STEEP, _STEEP)))).astype(np.float32)
    return likely


def _read_language(language: str, tasks: object) -> LanguageCalibration:
    if not isinstance(tasks, dict):
        raise CalibrationError(f"the calibration of {language} is no object")
    return LanguageCalibration(
        {str(task): _read_task(f"{language}.{task}", str(task), numbers) for task, numbers in tasks.items()}
    )


def _read_task(place: str, task: str, found: object) -> TaskCalibration:
    labels = TASKS.get(task)
    if labels is None:
        raise CalibrationError(f"{place}: no such task; there are {', '.join(TASKS)}")
    if not isinstance(found, dict):
        raise CalibrationError(f"{place} is no object")
    numbers = _Numbers(place, found)
    if task == "intent":
        count = len(labels)
        return AnyOf(
            slopes=numbers.several("slopes", count),
            offsets=numbers.several("offsets", count),
            thresholds=numbers.several("thresholds", count, above=0.0),
            floor=numbers.one("floor"),
        )
    if task == "toxicity":
        return YesNo(slope=numbers.one("slope"), offset=numbers.one("offset"), threshold=numbers.one("threshold"))
    return OneOf(
        temperature=numbers.one("temperature", above=0.0),
        biases=numbers.several("biases", len(labels)),
        threshold=numbers.one("threshold"),
    )


class _Numbers:
    """Finite numbers out of a JSON object; what is missing or odd is told with its place."""

    def __init__(self, place: str, found: dict[str, object]) -> None:
        self._place = place
        self._found = found

    def one(self, name: str, *, above: float | None = None) -> float:
        return self._check(name, self._found.get(name), above)

    def several(self, name: str, count: int, *, above: float | None = None) -> Numbers:
        values = self._found.get(name)
        if not isinstance(values, list) or len(values) != count:
            raise CalibrationError(f"{self._place}.{name} is not a list of {count} numbers")
        return tuple(self._check(name, value, above) for value in values)

    def _check(self, name: str, value: object, above: float | None) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise CalibrationError(f"{self._place}.{name} is not a number")
        if above is not None and value <= above:
            raise CalibrationError(f"{self._place}.{name} must be more than {above:g}")
        return float(value)
