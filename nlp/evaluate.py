"""How good a tagger is on labelled texts: F1, calibration, accuracy where it dares to answer, with 95 % intervals.

Pure arithmetic on arrays; reading files and writing reports is nlp/train/report.py and the command line's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BINS = 15
_ROUNDS = 1000


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure with its bootstrap 95 % interval over n texts."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} ({100 * self.low:.1f}-{100 * self.high:.1f})"


def macro_f1(gold: NDArray[np.int64], chosen: NDArray[np.int64], classes: int) -> float:
    """Mean F1 of the classes; a class neither present nor chosen counts 0."""
    scores = []
    for label in range(classes):
        hits = float(((gold == label) & (chosen == label)).sum())
        total = float((gold == label).sum() + (chosen == label).sum())
        scores.append(2 * hits / total if total else 0.0)
    return float(np.mean(scores))


def macro_recall(gold: NDArray[np.int64], chosen: NDArray[np.int64], classes: int) -> float:
    """Mean recall of the classes that are present (TweetEval's measure for sentiment)."""
    present = [label for label in range(classes) if (gold == label).any()]
    return float(np.mean([(chosen[gold == label] == label).mean() for label in present]))


def label_f1(gold: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n_labels,) F1 of every label of a multi-label task, both (n, n_labels) bool."""
    hits = (gold & chosen).sum(axis=0).astype(np.float64)
    total = gold.sum(axis=0) + chosen.sum(axis=0)
    scores: NDArray[np.float64] = np.divide(2 * hits, total, out=np.zeros_like(hits), where=total > 0)
    return scores


def micro_f1(gold: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> float:
    """F1 over all labels together."""
    total = float(gold.sum() + chosen.sum())
    return 2 * float((gold & chosen).sum()) / total if total else 0.0


def calibration_error(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """Expected calibration error over 15 equal bins: mean |accuracy - confidence|, weighted by bin size."""
    if not len(confidence):
        return 0.0
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    error = 0.0
    for number in range(_BINS):
        inside = bins == number
        if inside.any():
            error += float(inside.mean()) * abs(float(right[inside].mean()) - float(confidence[inside].mean()))
    return error


def accuracy_at_coverage(confidence: NDArray[np.float32], right: NDArray[np.bool_], coverage: float = 0.8) -> float:
    """Share right among the surest `coverage` of the texts."""
    kept = max(1, round(len(confidence) * coverage))
    order = np.argsort(-confidence, kind="stable")[:kept]
    return float(right[order].mean())


def risk_coverage(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Points (coverage, share wrong) at every tenth of coverage."""
    return [(tenth / 10, 1.0 - accuracy_at_coverage(confidence, right, tenth / 10)) for tenth in range(1, 11)]


def bootstrap(measure: Callable[[NDArray[np.intp]], float], n: int, *, seed: int = 11) -> Figure:
    """Give a measure of row numbers with its interval over 1,000 draws with replacement."""
    draw = np.random.default_rng(seed)
    values = [measure(draw.integers(0, n, n)) for _ in range(_ROUNDS)]
    low, high = np.quantile(values, [0.025, 0.975])
    return Figure(value=measure(np.arange(n)), low=float(low), high=float(high), n=n)


@dataclass(frozen=True, slots=True)
class SentimentFigures:
    """Sentiment of one set: macro-F1 and macro-recall with intervals, calibration error, accuracy at 80 % coverage.

    unsure: share of posts told so; sure_right: share right among the others (0 where there are none).
    """

    f1: Figure
    recall: Figure
    calibration: float
    at_80: float
    unsure: float
    sure_right: float


def judge_sentiment(
    probabilities: NDArray[np.float32], unsure: NDArray[np.bool_], gold: NDArray[np.int64]
) -> SentimentFigures:
    """Judge (n, 3) probabilities against (n,) classes."""
    chosen = probabilities.argmax(axis=1)
    classes, n = probabilities.shape[1], len(gold)
    right = chosen == gold
    return SentimentFigures(
        f1=bootstrap(lambda rows: macro_f1(gold[rows], chosen[rows], classes), n),
        recall=bootstrap(lambda rows: macro_recall(gold[rows], chosen[rows], classes), n),
        calibration=calibration_error(probabilities.max(axis=1), right),
        at_80=accuracy_at_coverage(probabilities.max(axis=1), right),
        unsure=float(unsure.mean()),
        sure_right=float(right[~unsure].mean()) if not unsure.all() else 0.0,
    )


@dataclass(frozen=True, slots=True)
class IntentFigures:
    """Intents of one set: macro- and micro-F1 with intervals, F1 by label, mean calibration error."""

    macro: Figure
    micro: Figure
    by_label: tuple[float, ...]
    calibration: float
    unsure: float


def judge_intents(
    probabilities: NDArray[np.float32],
    chosen: NDArray[np.bool_],
    unsure: NDArray[np.bool_],
    gold: NDArray[np.bool_],
) -> IntentFigures:
    """Judge (n, labels) probabilities and choices against (n, labels) bool."""
    errors = [calibration_error(probabilities[:, column], gold[:, column]) for column in range(gold.shape[1])]
    return IntentFigures(
        macro=bootstrap(lambda rows: float(label_f1(gold[rows], chosen[rows]).mean()), len(gold)),
        micro=bootstrap(lambda rows: micro_f1(gold[rows], chosen[rows]), len(gold)),
        by_label=tuple(float(score) for score in label_f1(gold, chosen)),
        calibration=float(np.mean(errors)),
        unsure=float(unsure.mean()),
    )


def labels_to_rows(labels: Sequence[Sequence[str]], names: Sequence[str]) -> NDArray[np.bool_]:
    """(n, len(names)) bool of lists of labels."""
    return np.array([[name in row for name in names] for row in labels], dtype=np.bool_).reshape(-1, len(names))
