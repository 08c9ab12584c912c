"""The words behind a label, by leaving them out, on the tagger in the package."""

import time
from collections.abc import Sequence

import numpy as np
import pytest

from nlp.base import Tagger, Tags
from nlp.pipeline import TIER_1, load_tagger
from nlp.why import LABELS, MAX_VARIANTS, explain, split_pieces

HOSTILE = (
    "",
    "   \n\t ",
    "\x00",
    "a\x00b \ud800 c",
    "😡😡😡",
    "👨‍👩‍👧‍👦👍🏽🇮🇹1️⃣",
    "x" * 1_000_000,
    "parola " * 150_000,
    "مرحبا كيف الحال، خدمة سيئة جدا",
    "Z̷̢̛a̸l̵g̶o̷ c̸o̶m̵e̷s",
    "e" + "\u0301" * 5000,
    "\u202eRTL override\u202c e poi basta",
    "'’'’ #_ @ @@ ## !!!",
    "服务太差了，再也不来了",
)


class _Counting:
    """Passes everything on to a tagger, and keeps count of the texts."""

    def __init__(self, tagger: Tagger) -> None:
        self._tagger = tagger
        self.name = tagger.name
        self.calls: list[int] = []

    def tag(self, texts: Sequence[str], languages: Sequence[str | None] | None = None) -> Tags:
        self.calls.append(len(texts))
        return self._tagger.tag(texts, languages)


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return load_tagger()


@pytest.mark.parametrize(
    ("text", "language", "task", "label", "words"),
    [
        ("Pessimo servizio", "it", "sentiment", "negative", {"Pessimo", "Pessimo servizio"}),
        ("Arrivato ieri il pacco, tutto rotto 😡😡", "it", "sentiment", "negative", {"😡😡", "tutto rotto", "rotto"}),
        ("Ottimo prodotto, lo consiglio", "it", "sentiment", "positive", {"Ottimo", "Ottimo prodotto", "consiglio"}),
        ("Quanto costa la spedizione in Sardegna?", "it", "intents", "question", {"?", "Quanto", "Quanto costa"}),
        ("Terrible service", "en", "sentiment", "negative", {"Terrible", "Terrible service"}),
        ("Great product, would recommend to anyone", "en", "sentiment", "positive", {"Great", "recommend"}),
        ("How much is the annual plan?", "en", "intents", "question", {"?", "How much", "much"}),
    ],
)
def test_the_words_that_carry_the_label_come_first(
    tagger: Tagger, text: str, language: str, task: str, label: str, words: set[str]
) -> None:
    first = explain(tagger, text, language=language, task=task, label=label)[0]
    assert first.text in words
    assert first.weight > 0


@pytest.mark.parametrize(
    ("text", "language", "phrase"),
    [
        ("L'app si blocca sempre, non funziona niente", "it", "non funziona"),
        ("il tecnico non si presenta mai", "it", "non si presenta"),
        ("I will never order from this shop again", "en", "never order"),
    ],
)
def test_a_negation_stands_with_what_it_denies(tagger: Tagger, text: str, language: str, phrase: str) -> None:
    reasons = explain(tagger, text, language=language, task="sentiment", label="negative")
    assert phrase in {reason.text for reason in reasons}


def test_words_against_the_label_weigh_below_zero_and_come_last(tagger: Tagger) -> None:
    text = "The coffee is excellent but delivery was terrible, never again"
    reasons = explain(tagger, text, language="en", task="sentiment", label="negative")
    signs = [reason.weight > 0 for reason in reasons]
    assert signs == sorted(signs, reverse=True)
    assert "excellent" in next(reason.text for reason in reasons if reason.weight < 0)


def test_weights_are_what_the_words_add_to_the_log_odds(tagger: Tagger) -> None:
    text = "Questo servizio è pessimo"
    reason = explain(tagger, text, language="it", task="sentiment", label="negative")[0]
    without = text[: reason.start] + " " + text[reason.end :]
    likely = tagger.tag([text, without], ["it", "it"]).sentiment[:, 0].astype(float)
    odds = np.log(likely / (1 - likely))
    assert reason.weight == pytest.approx(odds[0] - odds[1], abs=1e-3)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("task", LABELS)
def test_no_text_raises_and_offsets_are_true(tagger: Tagger, text: str, task: str) -> None:
    for reason in explain(tagger, text, language="it", task=task, label=LABELS[task][0]):
        assert text[reason.start : reason.end] == reason.text
        assert np.isfinite(reason.weight)


def test_reasons_are_the_same_every_time(tagger: Tagger) -> None:
    text = "Bolletta sbagliata di nuovo e nessuno risponde al telefono, vergogna!!!"
    one, other = (explain(tagger, text, language="it", task="sentiment", label="negative") for _ in range(2))
    assert one == other
    assert len(one) <= 5


FILLER = "We went to the station and then to the office with the others on Monday morning. "
GIST = "The staff was rude and the service terrible, worst experience ever. "


@pytest.mark.parametrize(
    ("model", "text", "seconds", "at_least"),
    [
        ("ngrams-v1", FILLER * 12 + GIST + FILLER * 12, 0.5, 2),  # reads all of it, word by word
        (TIER_1, FILLER * 12 + GIST, 3.0, 1),  # reads the beginning and the end, and spreads what it finds
    ],
)
def test_the_reason_is_found_in_a_long_text(model: str, text: str, seconds: float, at_least: int) -> None:
    counting = _Counting(load_tagger(model=model))
    counting.tag(["loaded at the first text"])
    counting.calls.clear()
    started = time.process_time()
    reasons = explain(counting, text, language="en", task="sentiment", label="negative")
    assert time.process_time() - started < seconds
    assert sum(counting.calls) <= MAX_VARIANTS
    start = text.index("The staff")
    assert sum(start <= reason.start < start + 70 for reason in reasons) >= at_least
    assert {"worst", "terrible", "rude", "service terrible", "worst experience"} & {reason.text for reason in reasons}


@pytest.mark.parametrize("text", ["non va " * 40, "parola " * 5000, "pessimo servizio, mai più. " * 20])
def test_few_texts_are_tagged_whatever_the_length(tagger: Tagger, text: str) -> None:
    counting = _Counting(tagger)
    explain(counting, text, language="it", task="sentiment", label="negative")
    assert 1 < sum(counting.calls) <= MAX_VARIANTS


def test_an_unknown_label_or_task_is_refused(tagger: Tagger) -> None:
    with pytest.raises(ValueError, match="joyful"):
        explain(tagger, "ciao", language="it", task="sentiment", label="joyful")
    with pytest.raises(ValueError, match="mood"):
        explain(tagger, "ciao", language="it", task="mood", label="joy")


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("L'app di @tim.it, #maipiù!!!", ["L'app", "di", "@tim.it", "#maipiù", "!!!"]),
        ("👨‍👩‍👧‍👦 ciao 👍🏽👍🏽🇮🇹", ["👨‍👩‍👧‍👦", "ciao", "👍🏽👍🏽", "🇮🇹"]),
        ("fine.Poi 3,50 € :(", ["fine", "Poi", "3,50", ":("]),
        ("Z̷̢̛a̸l̵g̶o̷ c̸o̶", ["Z̷̢̛a̸l̵g̶o̷", "c̸o̶"]),
        ("vedi https://esempio.it/a?b=1 grazie…", ["vedi", "https://esempio.it/a?b=1", "grazie", "…"]),
    ],
)
def test_pieces_are_whole(text: str, pieces: list[str]) -> None:
    assert [text[start:end] for start, end in split_pieces(text)] == pieces
