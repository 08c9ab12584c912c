"""Calibration: probabilities that sum, numbers that survive a file, odd numbers that are told with their place."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from nlp.calibration import TASKS, AnyOf, Calibration, CalibrationError, OneOf, YesNo
from tests.encoder_factory import CALIBRATION

SCORES = numpy_strategies.arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.just(7)),
    elements=st.floats(-1e6, 1e6, width=32),
)


@settings(deadline=None)  # other processes may hold the machine
@given(SCORES, st.floats(0.05, 20), st.lists(st.floats(-5, 5), min_size=7, max_size=7))
def test_one_label_probabilities_sum_to_one_whatever_the_scores(
    scores: np.ndarray, temperature: float, biases: list[float]
) -> None:
    found = OneOf(temperature, tuple(biases), threshold=0.5).probabilities(scores)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-5)
    assert (found >= 0).all()


@settings(deadline=None)  # other processes may hold the machine
@given(SCORES)
def test_independent_probabilities_rise_with_the_score(scores: np.ndarray) -> None:
    calibration = AnyOf((0.5,) * 7, (0.1,) * 7, (0.5,) * 7, floor=0.6)
    found = calibration.probabilities(scores)
    assert ((found >= 0) & (found <= 1)).all()
    assert (calibration.probabilities(scores + 1) >= found).all()


def test_a_temperature_flattens_and_a_bias_shifts() -> None:
    scores = np.array([[2.0, 0.0, 0.0]], dtype=np.float32)
    plain = OneOf(1.0, (0.0, 0.0, 0.0), 0.7)
    assert plain.probabilities(scores)[0, 0] == pytest.approx(np.exp(2) / (np.exp(2) + 2), abs=1e-6)
    assert OneOf(4.0, (0.0, 0.0, 0.0), 0.7).probabilities(scores)[0, 0] < plain.probabilities(scores)[0, 0]
    assert OneOf(1.0, (0.0, 3.0, 0.0), 0.7).probabilities(scores).argmax() == 1


def test_unsure_is_what_lies_under_the_threshold() -> None:
    one = OneOf(1.0, (0.0, 0.0, 0.0), threshold=0.6)
    assert one.unsure(np.array([[0.5, 0.3, 0.2], [0.7, 0.2, 0.1]], dtype=np.float32)).tolist() == [True, False]
    several = AnyOf((1.0,) * 2, (0.0,) * 2, (0.5,) * 2, floor=0.4)
    assert several.unsure(np.array([[0.3, 0.1], [0.3, 0.5]], dtype=np.float32)).tolist() == [True, False]
    question = YesNo(1.0, 0.0, threshold=0.8)
    likely = np.array([[0.5], [0.9], [0.1], [0.75]], dtype=np.float32)
    assert question.unsure(likely).tolist() == [True, False, False, True]


def test_numbers_survive_a_file() -> None:
    described = {"it": CALIBRATION, "en": {"sentiment": CALIBRATION["sentiment"]}}
    calibration = Calibration.from_json(described)
    assert calibration.to_json() == described
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration
    assert set(calibration.of("it").tasks) == set(TASKS)
    assert calibration.of("fr") is calibration.of("it")


def test_one_task_of_one_language_can_be_replaced() -> None:
    calibration = Calibration.from_json({"it": CALIBRATION, "en": CALIBRATION})
    warmer = OneOf(3.0, (0.1, 0.2, 0.3), 0.5)
    changed = calibration.with_task("en", "sentiment", warmer)
    assert changed.of("en").tasks["sentiment"] == warmer
    assert changed.of("it") == calibration.of("it")
    assert calibration.of("en").tasks["sentiment"] != warmer


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (None, "no language"),
        ({}, "no language"),
        ({"it": []}, "calibration of it"),
        ({"it": {"mood": {}}}, r"it\.mood: no such task"),
        ({"it": {"sentiment": 3}}, r"it\.sentiment is no object"),
        ({"it": {"sentiment": {**CALIBRATION["sentiment"], "biases": [0, 0]}}}, r"it\.sentiment\.biases .* 3 numbers"),
        ({"it": {"sentiment": {**CALIBRATION["sentiment"], "temperature": 0}}}, r"temperature must be more than 0"),
        ({"it": {"sentiment": {**CALIBRATION["sentiment"], "threshold": True}}}, r"threshold is not a number"),
        ({"it": {"intent": {**CALIBRATION["intent"], "floor": float("nan")}}}, r"it\.intent\.floor"),
        ({"it": {"intent": {**CALIBRATION["intent"], "slopes": ["1"] * 10}}}, r"it\.intent\.slopes"),
        ({"en": {"toxicity": {"slope": 1}}}, r"en\.toxicity\.offset"),
    ],
)
def test_what_fits_no_task_is_told_with_its_place(found: Any, told: str) -> None:
    with pytest.raises(CalibrationError, match=told):
        Calibration.from_json(found)
