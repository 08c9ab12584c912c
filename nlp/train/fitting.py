"""From raw scores of posts no model has learnt from to a calibration: temperatures, biases, slopes and thresholds."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]  # scipy publishes no types
from sklearn.linear_model import LogisticRegression

from nlp.calibration import TASKS, AnyOf, LanguageCalibration, OneOf, YesNo
from nlp.train.calibrate import abstention_threshold

ONE_OF = ("sentiment", "emotion", "urgency")
_THRESHOLDS = np.round(np.arange(0.14, 0.67, 0.02), 2)
_PRIOR_COUNTS = 8.0  # pulls the F1 of a rare label towards a middling threshold
_BIAS_COST = 0.004  # how dear it is to move the share of a label
_WANTED_ACCURACY = 0.85  # of what is not unsure; more than of tier 0, which is right less often
_MOST_TOXIC_UNSURE = 0.9  # a post is toxic or not with this probability, or the tagger is unsure


def fit_one_of(scores: NDArray[np.float32], gold: NDArray[np.int64]) -> OneOf:
    """One temperature and a bias a label by likelihood, and the threshold of abstention."""
    width = scores.shape[1]
    wide = scores.astype(np.float64)

    def loss(parameters: NDArray[np.float64]) -> float:
        shifted = wide * np.exp(-parameters[0]) + parameters[1:]
        shifted -= shifted.max(axis=1, keepdims=True)
        likely = shifted[np.arange(len(gold)), gold] - np.log(np.exp(shifted).sum(axis=1))
        return float(-likely.mean() + _BIAS_COST * (parameters[1:] ** 2).sum())

    best = minimize(loss, np.zeros(width + 1), method="L-BFGS-B").x
    biases = best[1:] - best[1:].mean()
    found = OneOf(round(float(np.exp(best[0])), 4), tuple(round(float(bias), 4) for bias in biases), 0.0)
    probabilities = found.probabilities(scores)
    right = probabilities.argmax(axis=1) == gold
    return replace(found, threshold=abstention_threshold(probabilities.max(axis=1), right, _WANTED_ACCURACY))


def fit_any_of(scores: NDArray[np.float32], gold: NDArray[np.float64]) -> AnyOf:
    """A logistic curve and a threshold a label, and the floor of abstention."""
    slopes, offsets = [], []
    for column in range(scores.shape[1]):
        slope, offset = _fit_curve(scores[:, column], gold[:, column])
        slopes.append(slope)
        offsets.append(offset)
    found = AnyOf(tuple(slopes), tuple(offsets), (0.5,) * scores.shape[1], 0.0)
    probabilities = found.probabilities(scores)
    right = gold[np.arange(len(gold)), probabilities.argmax(axis=1)] > 0
    return replace(
        found,
        thresholds=tuple(best_threshold(probabilities[:, at], gold[:, at]) for at in range(gold.shape[1])),
        floor=abstention_threshold(probabilities.max(axis=1), right, _WANTED_ACCURACY),
    )


def fit_yes_no(scores: NDArray[np.float32], gold: NDArray[np.float64]) -> YesNo:
    """A logistic curve, and the threshold of abstention."""
    slope, offset = _fit_curve(scores[:, 0], gold[:, 0])
    found = YesNo(slope, offset, 0.0)
    probabilities = found.probabilities(scores)[:, 0]
    right = (probabilities >= 0.5) == (gold[:, 0] > 0)  # noqa: PLR2004 - more likely than not
    sure = abstention_threshold(np.maximum(probabilities, 1 - probabilities), right)
    return replace(found, threshold=min(max(sure, 0.6), _MOST_TOXIC_UNSURE))


def _fit_curve(scores: NDArray[np.float32], gold: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and offset of a logistic curve; a label never seen keeps its scores as they are."""
    if len(set(gold.tolist())) == 1:
        return 1.0, 0.0
    curve = LogisticRegression(C=1.0).fit(scores[:, None].astype(np.float64), gold > 0)
    return max(round(float(curve.coef_[0, 0]), 4), 0.05), round(float(curve.intercept_[0]), 4)


def best_threshold(probabilities: NDArray[np.float32], gold: NDArray[np.float64]) -> float:
    """Threshold with the best F1, as if a few more posts had been wrong."""

    def score(threshold: float) -> float:
        chosen = probabilities >= threshold
        return 2 * float((chosen & (gold > 0)).sum()) / (float(chosen.sum()) + float(gold.sum()) + _PRIOR_COUNTS)

    values = np.array([score(threshold) for threshold in _THRESHOLDS])
    smooth = np.convolve(np.pad(values, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    return float(_THRESHOLDS[int(smooth.argmax())])


Gold = dict[str, NDArray[np.float64]]  # task → (n,) class numbers, or (n, labels) of 0 and 1


def fit_language(scores: dict[str, NDArray[np.float32]], gold: Gold) -> LanguageCalibration:
    """Fit every task of one language."""
    found: dict[str, OneOf | AnyOf | YesNo] = {}
    for task in TASKS:
        if task in ONE_OF:
            found[task] = fit_one_of(scores[task], gold[task].astype(np.int64))
        elif task == "intent":
            found[task] = fit_any_of(scores[task], gold[task])
        else:
            found[task] = fit_yes_no(scores[task], gold[task])
    return LanguageCalibration(found)
