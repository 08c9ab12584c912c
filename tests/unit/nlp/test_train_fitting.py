"""Calibration fitted to scores of which the truth is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from nlp.base import INTENTS
from nlp.calibration import TASKS, Calibration
from nlp.evaluate import calibration_error
from nlp.train.fitting import best_threshold, fit_any_of, fit_language, fit_one_of, fit_yes_no
from nlp.train.judging import judge_by_folds

N = 3000


def drawn(logits: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Classes drawn from the softmax of logits."""
    classes: NDArray[np.int64] = np.argmax(logits + rng.gumbel(size=logits.shape), axis=1).astype(np.int64)
    return classes


def test_one_of_recovers_temperature_and_biases() -> None:
    rng = np.random.default_rng(1)
    true = rng.normal(0, 1.5, (N, 3))
    gold = drawn(true + np.array([0.8, 0.0, -0.8]), rng)
    scores = (true * 3.0).astype(np.float32)
    found = fit_one_of(scores, gold)
    assert found.temperature == pytest.approx(3.0, rel=0.15)
    assert found.biases[0] - found.biases[2] == pytest.approx(1.6, abs=0.25)
    probabilities = found.probabilities(scores)
    assert calibration_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == gold) < 0.03


def test_one_of_is_unsure_of_the_least_likely_only() -> None:
    rng = np.random.default_rng(2)
    true = rng.normal(0, 2.0, (N, 3))
    gold = drawn(true, rng)
    scores = true.astype(np.float32)
    found = fit_one_of(scores, gold)
    probabilities = found.probabilities(scores)
    unsure = found.unsure(probabilities)
    right = probabilities.argmax(axis=1) == gold
    assert 0.0 < unsure.mean() <= 0.41
    assert right[~unsure].mean() > right[unsure].mean() + 0.2


def test_any_of_recovers_each_curve_and_survives_a_label_never_seen() -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(0, 2, (N, len(INTENTS))).astype(np.float32)
    gold = (rng.random((N, len(INTENTS))) < 1 / (1 + np.exp(-(0.7 * scores - 1.0)))).astype(np.float64)
    gold[:, 3] = 0.0
    found = fit_any_of(scores, gold)
    assert found.slopes[0] == pytest.approx(0.7, rel=0.15)
    assert found.offsets[0] == pytest.approx(-1.0, abs=0.2)
    assert all(0.1 < threshold < 0.7 for threshold in found.thresholds)


def test_yes_no_follows_the_scores() -> None:
    rng = np.random.default_rng(4)
    scores = rng.normal(0, 2, (N, 1)).astype(np.float32)
    gold = (rng.random((N, 1)) < 1 / (1 + np.exp(-(scores - 2.0)))).astype(np.float64)
    found = fit_yes_no(scores, gold)
    assert found.slope == pytest.approx(1.0, rel=0.2)
    assert 0.6 <= found.threshold <= 0.9


def test_best_threshold_lies_lower_where_the_label_is_seldom_sure() -> None:
    rng = np.random.default_rng(5)
    strong = rng.beta(0.3, 0.3, N).astype(np.float32)
    weak = (rng.beta(2, 8, N)).astype(np.float32)
    low = best_threshold(weak, (rng.random(N) < weak).astype(np.float64))
    middling = best_threshold(strong, (rng.random(N) < strong).astype(np.float64))
    assert low < middling


def test_judging_by_folds_cannot_learn_noise() -> None:
    rng = np.random.default_rng(6)
    scores = {task: rng.normal(0, 1, (400, len(labels))).astype(np.float32) for task, labels in TASKS.items()}
    gold = {
        "sentiment": rng.integers(0, 3, 400).astype(np.float64),
        "emotion": rng.integers(0, 7, 400).astype(np.float64),
        "urgency": rng.integers(0, 4, 400).astype(np.float64),
        "intent": (rng.random((400, 10)) < 0.2).astype(np.float64),
        "toxicity": (rng.random((400, 1)) < 0.2).astype(np.float64),
    }
    judged = judge_by_folds(scores, gold)
    assert judged.sentiment().f1.value < 0.45
    assert judged.sentiment().calibration < 0.12
    assert judged.take(gold["sentiment"] == 0).probabilities["sentiment"].shape == (
        int((gold["sentiment"] == 0).sum()),
        3,
    )


def test_fitted_language_survives_a_file() -> None:
    rng = np.random.default_rng(7)
    scores = {task: rng.normal(0, 1, (200, len(labels))).astype(np.float32) for task, labels in TASKS.items()}
    gold = {
        "sentiment": rng.integers(0, 3, 200).astype(np.float64),
        "emotion": rng.integers(0, 7, 200).astype(np.float64),
        "urgency": rng.integers(0, 4, 200).astype(np.float64),
        "intent": (rng.random((200, 10)) < 0.3).astype(np.float64),
        "toxicity": (rng.random((200, 1)) < 0.3).astype(np.float64),
    }
    found = Calibration({"it": fit_language(scores, gold)})
    assert Calibration.from_json(found.to_json()) == found
