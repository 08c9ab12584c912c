"""The cascade: how many texts the dear tier gets, which ones, and what a row says of who answered it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nlp.cascade import Budget, least_sure
from nlp.corpus.check import load_corpus
from nlp.encoder import EncoderError
from nlp.pipeline import EmbeddedTagger, load_tagger, unhurried
from nlp.tags_json import tags_to_json
from tests.encoder_factory import write_encoder_model


class Clock:
    """A clock that only goes on where it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder_model(tmp_path_factory.mktemp("models") / "encoder-v9")


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return [post.text for post in load_corpus()][:80]


def load(folder: Path, **options: float) -> EmbeddedTagger:
    return load_tagger(model=folder.name, folder=folder.parent, clock=Clock(), **options)  # type: ignore[arg-type]


def measured(*, pace: float | None = None, share: float | None = None, cheap: float, dear: float) -> Budget:
    """A budget that has long known what a text costs."""
    budget = Budget(posts_per_second=pace, share=share, clock=Clock())
    for _ in range(80):
        budget.note("cheap", count=100, seconds=100 * cheap)
        budget.note("dear", count=100, seconds=100 * dear)
    return budget


def test_without_a_budget_everything_goes_to_the_dear_tier() -> None:
    budget = Budget(clock=Clock())
    assert budget.is_unlimited
    assert budget.quota(256) == 256


@pytest.mark.parametrize(
    ("pace", "quota"),
    [
        (100, 256),  # 10 ms a text are there, 3.1 are needed
        (500, 152),  # 2 ms a text, 0.1 of them the cheap tier's: 1.9 / 3.2 of the texts
        (5_000, 8),
        (10_000, 0),  # the cheap tier alone takes all the time there is
        (50_000, 0),
    ],
)
def test_a_pace_leaves_the_dear_tier_the_time_that_is_over(pace: float, quota: int) -> None:
    assert measured(pace=pace, cheap=0.0001, dear=0.0032).quota(256) == pytest.approx(quota, abs=1)


def test_a_pace_is_kept_whatever_the_machine() -> None:
    for dear in (0.0005, 0.003, 0.02):
        budget = measured(pace=400, cheap=0.0001, dear=dear)
        seconds = 256 * 0.0001 + budget.quota(256) * dear
        assert seconds <= 256 / 400 + 1e-9
        assert budget.quota(256) == 256 or seconds + dear > 256 / 400


def test_a_slower_machine_is_noticed() -> None:
    budget = measured(pace=400, cheap=0.0001, dear=0.002)
    before = budget.quota(256)
    for _ in range(40):
        budget.note("dear", count=64, seconds=64 * 0.02)
    assert budget.quota(256) < before / 5


def test_small_batches_and_clocks_that_run_back_teach_nothing() -> None:
    budget = measured(pace=400, cheap=0.0001, dear=0.002)
    before = budget.quota(256)
    budget.note("dear", count=3, seconds=9.0)
    budget.note("dear", count=100, seconds=-1.0)
    assert budget.quota(256) == before


def test_a_share_is_the_most_of_a_batch() -> None:
    assert measured(share=0.25, cheap=0.0001, dear=0.003).quota(256) == 64
    assert measured(share=0.25, pace=100, cheap=0.0001, dear=0.003).quota(256) == 64
    assert measured(share=0.0, cheap=0.0001, dear=0.003).quota(256) == 0


@pytest.mark.parametrize(
    "options", [{"posts_per_second": 0}, {"posts_per_second": -1}, {"share": 1.1}, {"share": -0.1}]
)
def test_budgets_that_mean_nothing_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be more than 0|between 0 and 1"):
        Budget(clock=Clock(), **options)  # type: ignore[arg-type]


def test_the_least_sure_come_first_and_strange_languages_last() -> None:
    probabilities = {
        "sentiment": np.array([[0.9, 0.1], [0.5, 0.5], [0.9, 0.1], [0.4, 0.6], [0.9, 0.1]], dtype=np.float32),
        "intent": np.array([[0.8], [0.9], [0.3], [0.1], [0.8]], dtype=np.float32),
    }
    understood = np.array([True, True, True, False, True])
    assert least_sure(probabilities, understood).tolist() == [2, 1, 0, 4, 3]


def test_each_row_is_exactly_what_the_tier_it_names_says(folder: Path, texts: list[str]) -> None:
    mixed = load(folder, share=0.3).tag(texts)
    cheap, dear = load_tagger(model="ngrams-v1").tag(texts), load(folder).tag(texts)
    assert mixed.tagger == "encoder.v9"
    assert set(mixed.stand_ins.values()) == {"ngrams.v1"}
    assert len(mixed.stand_ins) == len(texts) - int(len(texts) * 0.3)
    for row in range(len(texts)):
        source = cheap if row in mixed.stand_ins else dear
        assert mixed.tagger_of(row) == source.tagger == tags_to_json(mixed, row)["tagger"]
        np.testing.assert_array_equal(mixed.sentiment[row], source.sentiment[row])
        np.testing.assert_array_equal(mixed.intents[row], source.intents[row])
        np.testing.assert_array_equal(mixed.emotion[row], source.emotion[row])
        assert mixed.intent_labels[row] == source.intent_labels[row]
        assert mixed.emotion_unsure[row] == source.emotion_unsure[row]


def test_the_rows_escalated_are_the_least_sure(folder: Path, texts: list[str]) -> None:
    mixed = load(folder, share=0.3).tag(texts)
    cheap = load_tagger(model="ngrams-v1").tag(texts)
    sureness = np.minimum(cheap.sentiment.max(axis=1), cheap.intents.max(axis=1))
    kept = [row for row in mixed.stand_ins if row not in mixed.strange]
    escalated = [row for row in range(len(texts)) if row not in mixed.stand_ins]
    assert sureness[escalated].max() <= sureness[kept].min()


def test_the_pace_is_measured_on_the_clock_that_is_given(folder: Path, texts: list[str]) -> None:
    clock = Clock()
    tagger = load_tagger(model=folder.name, folder=folder.parent, throughput=100.0, clock=clock)
    assert tagger.tag(texts).stand_ins == {}  # 100 a second: the encoder may read everything

    dear = tagger._dear
    assert dear is not None

    class Slow:
        name, calibration = dear.name, dear.calibration

        def scores(self, texts: list[str], languages: list[str]) -> dict[str, np.ndarray]:
            clock.now += 0.5 * len(texts)  # it has become a hundred times slower
            return dear.scores(texts, languages)

    tagger._dear = Slow()  # type: ignore[assignment]  # any tier will do
    shares = [len(tagger.tag(texts).stand_ins) / len(texts) for _ in range(4)]
    assert shares[0] == 0
    assert shares[1:] == sorted(shares[1:])
    assert shares[-1] > 0.9


def test_a_run_that_fails_leaves_the_cheap_answer_and_says_so(
    folder: Path, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tagger = load(folder)
    dear = tagger._dear
    failures: Iterator[bool] = iter([True, False])

    def scores(*arguments: list[str]) -> dict[str, np.ndarray]:
        if next(failures):
            raise EncoderError("out of memory")
        return original(*arguments)

    original = dear.scores  # type: ignore[union-attr]  # it is there
    monkeypatch.setattr(dear, "scores", scores)
    failed = tagger.tag(texts)
    assert failed.tagger_of(0) == "ngrams.v1"
    assert len(failed.stand_ins) == len(texts)
    assert "out of memory" in str(tagger.health().degraded)
    np.testing.assert_array_equal(failed.sentiment, load_tagger(model="ngrams-v1").tag(texts).sentiment)
    assert tagger.tag(texts).stand_ins == {}  # it is asked again
    assert tagger.health().degraded is None


def test_what_can_wait_is_read_by_the_best(folder: Path, texts: list[str]) -> None:
    hurried = load(folder, share=0.1)
    patient = unhurried(hurried)
    assert patient.name == hurried.name
    assert len(hurried.tag(texts).stand_ins) == 72
    assert patient.tag(texts).stand_ins == {}
    assert len(hurried.tag(texts).stand_ins) == 72


def test_a_share_of_nothing_is_the_cheap_tier_alone(folder: Path, texts: list[str]) -> None:
    tagger = load(folder, share=0.0)
    assert tagger.name == tagger.tag(texts).tagger == "ngrams.v1"
    assert tagger.tag(texts).stand_ins == {}
    assert tagger.health().degraded is None
