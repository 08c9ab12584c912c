"""The measures, against values computed by hand."""

import numpy as np
import pytest

from nlp.evaluate import (
    accuracy_at_coverage,
    bootstrap,
    calibration_error,
    label_f1,
    macro_f1,
    macro_recall,
    micro_f1,
    risk_coverage,
)

GOLD = np.array([0, 0, 1, 2])
CHOSEN = np.array([0, 1, 1, 2])


def test_macro_f1_and_recall() -> None:
    assert macro_f1(GOLD, CHOSEN, 3) == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert macro_recall(GOLD, CHOSEN, 3) == pytest.approx((0.5 + 1 + 1) / 3)


def test_multi_label_f1() -> None:
    gold = np.array([[True, False], [True, True]])
    chosen = np.array([[True, True], [False, True]])
    assert label_f1(gold, chosen) == pytest.approx([2 / 3, 2 / 3])
    assert micro_f1(gold, chosen) == pytest.approx(4 / 6)


def test_calibration_error_is_zero_when_confidence_is_true() -> None:
    confidence = np.full(10, 0.7, dtype=np.float32)
    right = np.array([True] * 7 + [False] * 3)
    assert calibration_error(confidence, right) == pytest.approx(0.0, abs=1e-6)
    assert calibration_error(confidence, ~right) == pytest.approx(0.4, abs=1e-6)


def test_accuracy_rises_as_coverage_falls() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.5], dtype=np.float32)
    right = np.array([True, True, True, True, False])
    assert accuracy_at_coverage(confidence, right, 0.8) == 1.0
    assert risk_coverage(confidence, right)[-1] == pytest.approx((1.0, 0.2))


def test_bootstrap_holds_the_value_within_its_interval() -> None:
    values = np.random.default_rng(1).random(200)
    figure = bootstrap(lambda rows: float(values[rows].mean()), 200)
    assert figure.low < figure.value < figure.high
    assert str(figure).startswith(f"{100 * figure.value:.1f} (")
