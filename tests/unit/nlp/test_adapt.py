"""Refits from people's labels: a shift of priors is found, noise and scraps are refused, nothing else moves."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from nlp.adapt import (
    LABELS,
    TASKS,
    Adaptation,
    AdaptedTagger,
    Gold,
    Refit,
    TaskShift,
    adaptation_from_json,
    probabilities_of,
    refit,
)
from nlp.base import EMOTIONS, INTENTS, SENTIMENTS, Tags, undecided
from nlp.calibration import AnyOf, Calibration, LanguageCalibration, OneOf, YesNo
from nlp.evaluate import macro_f1
from nlp.held_back import Verdict, report_from_json
from nlp.intent import choose_intents
from nlp.refit import Spread, fit_shift, softmax, to_pair, unchanged

EVEN = (1 / 3, 1 / 3, 1 / 3)
MOSTLY_NEGATIVE = (0.55, 0.30, 0.15)
LIMITS = (0.4,) * len(INTENTS)


def make_calibration() -> Calibration:
    tasks = LanguageCalibration(
        {
            "sentiment": OneOf(1.0, (0.0,) * 3, 0.55),
            "emotion": OneOf(1.0, (0.0,) * 7, 0.5),
            "urgency": OneOf(1.0, (0.0,) * 4, 0.5),
            "intent": AnyOf((1.0,) * 10, (0.0,) * 10, LIMITS, 0.5),
            "toxicity": YesNo(1.0, 0.0, 0.8),
        }
    )
    return Calibration({"it": tasks, "en": tasks})


def make_tags(sentiment: NDArray[np.float32], language: str = "it") -> Tags:
    """Tags of posts whose sentiment is given and all else undecided."""
    count = len(sentiment)
    intents = np.full((count, len(INTENTS)), 0.1, dtype=np.float32)
    intents[:, 0] = 0.7
    return Tags(
        languages=(language,) * count,
        language_confidence=np.ones(count, dtype=np.float32),
        sentiment=sentiment,
        sentiment_unsure=sentiment.max(axis=1) < 0.55,
        intents=intents,
        intents_unsure=np.zeros(count, dtype=np.bool_),
        intent_labels=(("complaint",),) * count,
        **undecided(count),
        entities=((),) * count,
        tagger="encoder.v9",
    )


def population(
    seed: int, count: int, truth: tuple[float, ...], believed: tuple[float, ...]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Posts of classes drawn by `truth`, and what a machine says that was calibrated where `believed` held."""
    draw = np.random.default_rng(seed)
    gold = draw.choice(3, count, p=np.array(truth) / sum(truth))
    seen = draw.normal(size=(count, 3))
    seen[np.arange(count), gold] += 1.7
    return softmax(1.7 * seen + np.log(believed)).astype(np.float32), gold


def learn(
    said: NDArray[np.float32], gold: NDArray[np.int64], labelled: NDArray[np.intp], standing: NDArray[np.intp]
) -> Refit:
    shown = said.argmax(axis=1)
    labels = [Gold("sentiment", (SENTIMENTS[gold[row]],), (SENTIMENTS[shown[row]],)) for row in labelled]
    return refit(labels, make_tags(said[labelled]), make_calibration(), standing=make_tags(said[standing]))


def mistakes(said: NDArray[np.float32], gold: NDArray[np.int64], count: int) -> NDArray[np.intp]:
    """The first posts that a person would have to correct."""
    return np.flatnonzero(said.argmax(axis=1) != gold)[:count]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("way", ["only mistakes", "every post"])
def test_a_shift_of_priors_is_learnt_whichever_way_people_label(seed: int, way: str) -> None:
    said, gold = population(seed, 2500, MOSTLY_NEGATIVE, (0.2, 0.35, 0.45))
    labelled = mistakes(said, gold, 90) if way == "only mistakes" else np.arange(150)
    standing = np.setdiff1d(np.arange(1200), labelled)[:300]
    found = learn(said, gold, labelled, standing)
    (report,) = (one for one in found.reports if one.task == "sentiment")
    assert report.verdict is Verdict.CLEAR
    assert report.before is not None
    assert report.after is not None
    assert report.after.f1 >= report.before.f1
    unseen = slice(1200, 2500)
    after = found.adaptation("encoder.v9+b1").apply(make_tags(said[unseen]))
    before_f1 = macro_f1(gold[unseen], said[unseen].argmax(axis=1), 3)
    after_f1 = macro_f1(gold[unseen], after.sentiment.argmax(axis=1), 3)
    assert after_f1 > before_f1 + 0.02
    assert after.sentiment.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert after.sentiment.argmax(axis=1).max() > 0, "the machine has not given up on other labels"


@pytest.mark.parametrize("seed", range(6))
def test_labels_at_random_are_never_adopted(seed: int) -> None:
    said, _ = population(seed, 600, EVEN, EVEN)
    gold = np.random.default_rng(seed + 100).integers(0, 3, 600)
    found = learn(said, gold, np.arange(120), np.arange(120, 420))
    assert not found.is_accepted
    assert found.shifts == {}


@pytest.mark.parametrize("seed", range(6))
def test_corrections_of_a_machine_that_is_right_already_change_little(seed: int) -> None:
    said, gold = population(seed, 2500, EVEN, EVEN)
    labelled = mistakes(said, gold, 60)
    found = learn(said, gold, labelled, np.setdiff1d(np.arange(1200), labelled)[:300])
    after = found.adaptation("x+b1").apply(make_tags(said[1200:]))
    lost = macro_f1(gold[1200:], said[1200:].argmax(axis=1), 3) - macro_f1(
        gold[1200:], after.sentiment.argmax(axis=1), 3
    )
    assert lost < 0.015


def test_a_handful_of_labels_is_refused() -> None:
    said, gold = population(1, 600, MOSTLY_NEGATIVE, EVEN)
    found = learn(said, gold, np.arange(29), np.arange(100, 400))
    assert [report.verdict for report in found.reports if report.task == "sentiment"] == [Verdict.TOO_FEW]
    assert not found.is_accepted


def test_nothing_but_mistakes_is_refused() -> None:
    said, gold = population(1, 600, MOSTLY_NEGATIVE, EVEN)
    labelled = mistakes(said, gold, 60)
    found = learn(said, gold, labelled, labelled[:0])
    assert [report.verdict for report in found.reports if report.task == "sentiment"] == [Verdict.ONE_SIDED]
    assert not found.is_accepted


def test_the_same_labels_give_the_same_refit() -> None:
    said, gold = population(4, 900, MOSTLY_NEGATIVE, (0.2, 0.35, 0.45))
    first, second = (learn(said, gold, np.arange(90), np.arange(200, 500)) for _ in range(2))
    assert first == second


def test_a_language_without_labels_stays_as_it_was() -> None:
    said, gold = population(2, 900, MOSTLY_NEGATIVE, (0.2, 0.35, 0.45))
    adaptation = learn(said, gold, np.arange(150), np.arange(200, 500)).adaptation("encoder.v9+b2")
    assert set(adaptation.shifts) == {"it"}
    english = make_tags(said, "en")
    after = adaptation.apply(english)
    np.testing.assert_array_equal(after.sentiment, english.sentiment)
    assert after.tagger == "encoder.v9+b2"


def test_intents_are_learnt_label_by_label() -> None:
    draw = np.random.default_rng(5)
    count = 900
    gold = np.zeros((count, len(INTENTS)), dtype=np.bool_)
    gold[:, 0], gold[:, 1] = draw.random(count) < 0.6, draw.random(count) < 0.3
    scores = np.where(gold, 1.3, -1.3) + draw.normal(size=gold.shape)
    scores[:, 2:] -= 3.0
    scores[:, 1] -= 2.2  # the machine has learnt that questions are rare
    likely = (1 / (1 + np.exp(-2.6 * scores / 2))).astype(np.float32)
    labels = choose_intents(likely, LIMITS)
    said = np.full((count, 3), 1 / 3, dtype=np.float32)

    def tags(rows: NDArray[np.intp]) -> Tags:
        return replace(make_tags(said[rows]), intents=likely[rows], intent_labels=tuple(labels[row] for row in rows))

    named = [tuple(name for name, is_so in zip(INTENTS, row, strict=True) if is_so) or ("other",) for row in gold]
    rows, others, unseen = np.arange(150), np.arange(150, 450), np.arange(450, 900)
    given = [Gold("intents", named[row], labels[row]) for row in rows]
    found = refit(given, tags(rows), make_calibration(), standing=tags(others))
    (report,) = (one for one in found.reports if one.task == "intents")
    assert report.verdict is Verdict.CLEAR
    after = found.adaptation("x+b1").apply(tags(unseen))
    questions = np.array(["question" in one for one in after.intent_labels])
    before = np.array(["question" in labels[row] for row in unseen])
    truth = gold[unseen, 1]

    def f1(chosen: NDArray[np.bool_]) -> float:
        return float(2 * (chosen & truth).sum() / (chosen.sum() + truth.sum()))

    assert f1(questions) > f1(before) + 0.03
    assert np.abs(after.intents[:, 5] - likely[unseen, 5]).max() < 0.1, "labels nobody corrected hardly move"


def test_errors_rules_and_thresholds_are_kept() -> None:
    said = np.array([[0.5, 0.3, 0.2]] * 3, dtype=np.float32)
    tags = replace(make_tags(said), errors={0: "text is empty"}, rules={1: ("bomba",)}, stand_ins={2: "ngrams.v2"})
    shift = TaskShift(scales=(1.0,), shifts=(-2.0, 0.0, 2.0), floor=0.9)
    after = Adaptation("encoder.v9+b4", {"it": {"sentiment": shift}}).apply(tags)
    np.testing.assert_array_equal(after.sentiment[:2], said[:2])
    assert after.sentiment[2].argmax() == 2
    assert after.sentiment_unsure[2], "under the floor"
    assert after.stand_ins == {2: "ngrams.v2+b4"}
    assert tags.sentiment[2].argmax() == 0, "the tags given are left alone"


def test_an_adaptation_survives_json_and_refuses_what_does_not_fit() -> None:
    shifts = {
        task: TaskShift(
            scales=(1.1,) * (len(INTENTS) if task == "intents" else 1),
            shifts=(0.25,) * len(LABELS[task]),
            floor=0.5,
            limits=LIMITS if task == "intents" else (),
        )
        for task in TASKS
    }
    adaptation = Adaptation("encoder.v9+b3", {"it": shifts})
    again = adaptation_from_json("encoder.v9+b3", json.loads(json.dumps(adaptation.to_json())))
    assert again == adaptation
    broken = adaptation.to_json()
    broken["it"]["emotion"]["shifts"] = [0.0] * (len(EMOTIONS) - 1)
    with pytest.raises(ValueError, match="emotion in it"):
        adaptation_from_json("x+b1", broken)


def test_an_adapted_tagger_tags_as_the_brand_reads() -> None:
    class Even:
        name = "encoder.v9"

        def tag(self, texts: list[str], languages: object = None) -> Tags:  # noqa: ARG002 - Tagger's signature
            return make_tags(np.full((len(texts), 3), 1 / 3, dtype=np.float32))

    shift = TaskShift(scales=(1.0,), shifts=(2.0, 0.0, 0.0), floor=0.5)
    tagger = AdaptedTagger(Even(), Adaptation("encoder.v9+b1", {"it": {"sentiment": shift}}))  # type: ignore[arg-type] - a narrower stand-in
    tags = tagger.tag(["ciao", "buongiorno"])
    assert tagger.name == tags.tagger == "encoder.v9+b1"
    assert tags.sentiment.argmax(axis=1).tolist() == [0, 0]
    assert probabilities_of(tags, "toxicity").shape == (2, 2)


def test_reports_survive_json() -> None:
    said, gold = population(4, 900, MOSTLY_NEGATIVE, (0.2, 0.35, 0.45))
    report = learn(said, gold, np.arange(90), np.arange(200, 500)).reports[0]
    assert report_from_json(json.loads(json.dumps(report.to_json()))) == report


def test_a_fit_finds_the_one_minimum() -> None:
    from scipy.optimize import minimize  # type: ignore[import-untyped]  # scipy publishes no types

    draw = np.random.default_rng(0)
    likely = draw.random(200).astype(np.float32)
    gold = (draw.random(200) < likely**2).astype(np.int64)
    logits, weights = to_pair(likely), draw.random(200) + 0.2
    spread = Spread()
    found = fit_shift(logits, gold, weights, unchanged(2), spread)

    def loss(theta: NDArray[np.float64]) -> float:
        shares = softmax(theta[0] * logits + theta[1:])[np.arange(200), gold]
        return float(
            -(weights * np.log(shares)).sum()
            + 0.5 * ((theta[0] - 1) / spread.scale) ** 2
            + 0.5 * ((theta[1:] / spread.shift) ** 2).sum()
        )

    best = minimize(loss, np.array([1.0, 0.0, 0.0])).x
    assert found.scale == pytest.approx(best[0], abs=1e-3)
    assert found.shifts == pytest.approx(best[1:], abs=1e-3)
