"""From out-of-fold scores to probabilities that mean what they say, and thresholds for choosing and abstaining."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]  # scipy publishes no types
from sklearn.linear_model import LogisticRegression

from nlp.base import INTENTS
from nlp.intent import IntentHead
from nlp.sentiment import SentimentHead

_WANTED_ACCURACY = 0.75  # of what is not unsure
_MOST_UNSURE = 0.4  # no more than this share of posts may be unsure
_THRESHOLDS = np.round(np.arange(0.12, 0.61, 0.02), 2)
_PRIOR_COUNTS = 4.0  # pulls the F1 of a rare intent towards a middling threshold


def fit_sentiment(scores: NDArray[np.float32], gold: NDArray[np.int64]) -> SentimentHead:
    """Fit one temperature and two biases by likelihood, and the abstention threshold."""

    def loss(parameters: NDArray[np.float64]) -> float:
        head = _head_from(parameters, threshold=0.0)
        likely = head.probabilities(scores)[np.arange(len(gold)), gold].astype(np.float64)
        return float(-np.log(np.maximum(likely, 1e-9)).mean() + 0.002 * (parameters[1:] ** 2).sum())

    best = minimize(loss, np.zeros(3), method="Nelder-Mead", options={"maxiter": 600})
    probabilities = _head_from(best.x, threshold=0.0).probabilities(scores)
    right = probabilities.argmax(axis=1) == gold
    return _head_from(best.x, threshold=abstention_threshold(probabilities.max(axis=1), right))


def _head_from(parameters: NDArray[np.float64], *, threshold: float) -> SentimentHead:
    return SentimentHead(
        temperature=round(float(np.exp(parameters[0])), 4),
        biases=(round(float(parameters[1]), 4), 0.0, round(float(parameters[2]), 4)),
        threshold=threshold,
    )


def fit_intents(scores: NDArray[np.float32], gold: NDArray[np.float64]) -> IntentHead:
    """Fit slope and offset of every intent, then the thresholds for choosing and abstaining."""
    slopes, offsets, thresholds = [], [], []
    probabilities = np.zeros_like(gold)
    for column in range(len(INTENTS)):
        platt = LogisticRegression(C=2.0).fit(scores[:, [column]].astype(np.float64), gold[:, column] > 0)
        slopes.append(round(max(float(platt.coef_[0, 0]), 0.05), 4))
        offsets.append(round(float(platt.intercept_[0]), 4))
        logits = scores[:, column] * slopes[-1] + offsets[-1]
        probabilities[:, column] = 1.0 / (1.0 + np.exp(-logits))
        thresholds.append(_best_threshold(probabilities[:, column], gold[:, column]))
    top = probabilities.argmax(axis=1)
    right = gold[np.arange(len(gold)), top] > 0
    return IntentHead(
        slopes=tuple(slopes),
        offsets=tuple(offsets),
        thresholds=tuple(thresholds),
        floor=abstention_threshold(probabilities.max(axis=1).astype(np.float32), right),
    )


def _best_threshold(probabilities: NDArray[np.float64], gold: NDArray[np.float64]) -> float:
    def score(threshold: float) -> float:
        chosen = probabilities >= threshold
        hits = float((chosen & (gold > 0)).sum())
        return 2 * hits / (float(chosen.sum()) + float(gold.sum()) + _PRIOR_COUNTS)

    return float(max(_THRESHOLDS, key=score))


def abstention_threshold(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """Lowest confidence from which enough is right, leaving no more than the agreed share unsure."""
    order = np.argsort(-confidence, kind="stable")
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    least = int(len(order) * (1.0 - _MOST_UNSURE))
    kept = [count for count in range(least, len(order)) if accuracy[count - 1] >= _WANTED_ACCURACY]
    count = max(kept) if kept else least
    return round(float(confidence[order[count - 1]]), 4)
