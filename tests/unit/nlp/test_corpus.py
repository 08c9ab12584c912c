"""Our own corpus is whole, varied and without twins; the check finds what is wrong."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from nlp.base import INTENTS, SENTIMENTS
from nlp.corpus.check import CorpusError, find_faults, load_corpus, near_duplicates

POSTS = load_corpus()


def test_corpus_has_no_faults() -> None:
    assert find_faults(POSTS) == []


def test_corpus_is_large_and_balanced() -> None:
    languages = Counter(post.language for post in POSTS)
    assert len(POSTS) >= 1000
    assert 0.4 < languages["it"] / len(POSTS) < 0.6
    assert len({post.sector for post in POSTS}) >= 25


@pytest.mark.parametrize("language", ["it", "en"])
def test_corpus_covers_every_label(language: str) -> None:
    intents = Counter(intent for post in POSTS if post.language == language for intent in post.intents)
    sentiments = Counter(post.sentiment for post in POSTS if post.language == language)
    assert min(intents[intent] for intent in INTENTS) >= 25
    assert min(sentiments[sentiment] for sentiment in SENTIMENTS) >= 80


def test_check_names_what_is_wrong() -> None:
    good = POSTS[0]
    broken = [
        replace(good, id="a", intents=("spam", "complaint")),
        replace(good, id="b", text="tutt'altra cosa, davvero un testo diverso", urgency=9),
        replace(good, id="b", text="e un terzo ancora, che non somiglia a nessuno", sentiment="angry"),
    ]
    faults = " ".join(find_faults(broken))
    for expected in ("stand alone", "urgency", "used twice", "unknown sentiment"):
        assert expected in faults


def test_near_duplicates_are_found() -> None:
    first = replace(POSTS[0], id="a", text="Ordine 123 mai arrivato, nessuno mi risponde da tre settimane!")
    second = replace(POSTS[0], id="b", text="ordine 123 mai arrivato... nessuno mi risponde da 3 settimane")
    assert near_duplicates([first, second]) == [("a", "b")]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "batch01.jsonl").write_text('{"id": 1}\n', encoding="utf-8")
    with pytest.raises(CorpusError, match=r"batch01\.jsonl line 1"):
        load_corpus(tmp_path)
