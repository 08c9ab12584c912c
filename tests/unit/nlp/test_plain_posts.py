"""Plain, unambiguous posts get the plain answer. They were written for this test and are never trained on."""

from dataclasses import replace
from pathlib import Path

import pytest

from nlp.base import INTENTS, SENTIMENTS, Tags
from nlp.corpus.check import load_corpus, near_duplicates
from nlp.pipeline import load_tagger

SIGNS = dict(zip("-0+", SENTIMENTS, strict=True))
LETTERS = dict(zip("cqpsbxar$o", INTENTS, strict=True))
ALONE = {  # single words and the shortest phrases, all of which must be right
    "it": {"Pessimo.": "-", "terribile": "-", "Che schifo": "-", "ottimo servizio": "+", "Fantastico!": "+"},
    "en": {"terrible": "-", "Awful.": "-", "worst app ever": "-", "great service": "+", "Fantastic!": "+"},
}


def _read(language: str) -> list[tuple[str, frozenset[str], str]]:
    lines = (Path(__file__).parent / f"plain_posts_{language}.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split(" ", 2) for line in lines if not line.startswith("#")]
    return [(SIGNS[sign], frozenset(LETTERS[letter] for letter in letters), text) for sign, letters, text in rows]


POSTS = {language: _read(language) for language in ("it", "en")}


@pytest.fixture(scope="module", params=["it", "en"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def tags(language: str) -> Tags:
    return load_tagger().tag([text for _, _, text in POSTS[language]], [language] * len(POSTS[language]))


def _labels(tags: Tags) -> list[str]:
    return [SENTIMENTS[column] for column in tags.sentiment.argmax(axis=1)]


@pytest.mark.parametrize("sentiment", SENTIMENTS)
def test_sentiment_of_plain_posts(language: str, tags: Tags, sentiment: str) -> None:
    found = [label for label, (gold, _, _) in zip(_labels(tags), POSTS[language], strict=True) if gold == sentiment]
    assert found.count(sentiment) / len(found) >= 0.9


def test_plain_words_alone(language: str) -> None:
    answers = load_tagger().tag(list(ALONE[language]), [language] * len(ALONE[language]))
    assert _labels(answers) == [SIGNS[sign] for sign in ALONE[language].values()]


def test_plain_posts_are_sure_and_then_right(language: str, tags: Tags) -> None:
    sure = ~tags.sentiment_unsure
    assert sure.mean() >= 0.85
    right = [label == gold for label, (gold, _, _) in zip(_labels(tags), POSTS[language], strict=True)]
    assert sum(ok for ok, kept in zip(right, sure, strict=True) if kept) / sure.sum() >= 0.95


def test_complaints_are_no_praise(language: str, tags: Tags) -> None:
    wrong = [
        text
        for labels, (gold, _, text) in zip(tags.intent_labels, POSTS[language], strict=True)
        if gold == "negative" and "praise" in labels
    ]
    assert len(wrong) <= 3, wrong


def test_an_intent_of_each_plain_post_is_found(language: str, tags: Tags) -> None:
    found = [
        bool(wanted & set(labels)) for labels, (_, wanted, _) in zip(tags.intent_labels, POSTS[language], strict=True)
    ]
    assert sum(found) / len(found) >= 0.9


def test_no_plain_post_stands_in_the_corpus(language: str) -> None:
    corpus = [post for post in load_corpus() if post.language == language]
    plain = [replace(corpus[0], id=f"plain {row}", text=text) for row, (_, _, text) in enumerate(POSTS[language])]
    pairs = near_duplicates([*corpus, *plain])
    assert [pair for pair in pairs if pair[0].startswith("plain") != pair[1].startswith("plain")] == []
