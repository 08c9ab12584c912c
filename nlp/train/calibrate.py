"""From out-of-fold scores to probabilities that mean what they say, and thresholds for choosing and abstaining."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]  # scipy publishes no types
from sklearn.linear_model import LogisticRegression

from nlp.base import INTENTS
from nlp.calibration import AnyOf, OneOf
from nlp.intent import Leans

_WANTED_ACCURACY = 0.8  # of what is not unsure
_MOST_UNSURE = 0.4  # no more than this share of posts may be unsure
_THRESHOLDS = np.round(np.arange(0.12, 0.61, 0.02), 2)
_GLAD = ("praise", "advocacy")  # dislike never speaks for these, and a wrong one is worse than a missed one
_PRIOR_COUNTS = 4.0  # pulls the F1 of a rare intent towards a middling threshold


def fit_sentiment(scores: NDArray[np.float32], gold: NDArray[np.int64]) -> OneOf:
    """Fit one temperature and two biases by likelihood, and the abstention threshold."""

    def loss(parameters: NDArray[np.float64]) -> float:
        head = _head_from(parameters, threshold=0.0)
        likely = head.probabilities(scores)[np.arange(len(gold)), gold].astype(np.float64)
        return float(-np.log(np.maximum(likely, 1e-9)).mean() + 0.002 * (parameters[1:] ** 2).sum())

    best = minimize(loss, np.zeros(3), method="Nelder-Mead", options={"maxiter": 600})
    probabilities = _head_from(best.x, threshold=0.0).probabilities(scores)
    right = probabilities.argmax(axis=1) == gold
    return _head_from(best.x, threshold=abstention_threshold(probabilities.max(axis=1), right))


def _head_from(parameters: NDArray[np.float64], *, threshold: float) -> OneOf:
    return OneOf(
        temperature=round(float(np.exp(parameters[0])), 4),
        biases=(round(float(parameters[1]), 4), 0.0, round(float(parameters[2]), 4)),
        threshold=threshold,
    )


def fit_intents(
    scores: NDArray[np.float32], attitude: NDArray[np.float32], gold: NDArray[np.float64]
) -> tuple[Leans, AnyOf]:
    """Fit slope, leans and offset of every intent, then the thresholds for choosing and abstaining."""
    slopes, offsets, leans = [], [], []
    for column, intent in enumerate(INTENTS):
        seen = np.column_stack([scores[:, column], attitude[:, 0], attitude[:, 2]]).astype(np.float64)
        if intent in _GLAD:
            seen[:, 1] = 0.0
        platt = LogisticRegression(C=2.0).fit(seen, gold[:, column] > 0)
        slope, negative, positive = (round(float(value), 4) for value in platt.coef_[0])
        slopes.append(max(slope, 0.05))
        leans.append((negative, positive))
        offsets.append(round(float(platt.intercept_[0]), 4))
    leaning = Leans(tuple(slopes), tuple(leans))
    even = (1.0,) * len(INTENTS)
    head = AnyOf(even, tuple(offsets), thresholds=even, floor=0.0)
    probabilities = head.probabilities(leaning.apply(scores, attitude))
    right = gold[np.arange(len(gold)), probabilities.argmax(axis=1)] > 0
    return leaning, replace(
        head,
        thresholds=tuple(
            _best_threshold(probabilities[:, column], gold[:, column], beta=0.5 if intent in _GLAD else 1.0)
            for column, intent in enumerate(INTENTS)
        ),
        floor=abstention_threshold(probabilities.max(axis=1), right),
    )


def _best_threshold(probabilities: NDArray[np.float32], gold: NDArray[np.float64], *, beta: float) -> float:
    """Threshold with the best F-beta; a beta under 1 cares more for precision."""

    def score(threshold: float) -> float:
        chosen = probabilities >= threshold
        hits = float((chosen & (gold > 0)).sum())
        return (1 + beta**2) * hits / (float(chosen.sum()) + beta**2 * float(gold.sum()) + _PRIOR_COUNTS)

    return float(max(_THRESHOLDS, key=score))


def abstention_threshold(
    confidence: NDArray[np.float32], right: NDArray[np.bool_], wanted: float = _WANTED_ACCURACY
) -> float:
    """Lowest confidence from which enough is right, leaving no more than the agreed share unsure."""
    order = np.argsort(-confidence, kind="stable")
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    least = int(len(order) * (1.0 - _MOST_UNSURE))
    kept = [count for count in range(least, len(order)) if accuracy[count - 1] >= wanted]
    count = max(kept) if kept else least
    return round(float(confidence[order[count - 1]]), 4)
