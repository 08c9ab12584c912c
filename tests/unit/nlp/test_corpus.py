"""Our own corpus is whole, varied and without twins; the check finds what is wrong."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from nlp.base import INTENTS, SENTIMENTS
from nlp.corpus.agreement import find_unsettled, measure_agreement
from nlp.corpus.check import CorpusError, find_faults, load_corpus, near_duplicates

POSTS = load_corpus()


def test_corpus_has_no_faults() -> None:
    assert find_faults(POSTS) == []


def test_corpus_is_large_and_balanced() -> None:
    languages = Counter(post.language for post in POSTS)
    assert len(POSTS) >= 6000
    assert sum(bool(post.difficulty) for post in POSTS) >= len(POSTS) / 3
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


def test_every_label_was_read_twice_and_settled() -> None:
    assert find_unsettled(POSTS) == []


def test_two_readers_agree_far_above_chance() -> None:
    figures = {one.task: one for one in measure_agreement(POSTS)}
    assert min(figures[task].alpha for task in ("sentiment", "intents", "toxicity")) > 0.8
    assert min(figures[task].alpha for task in ("emotion", "urgency")) > 0.667, (
        "Krippendorff's bound for any conclusion"
    )


def test_a_changed_label_and_a_broken_line_are_found(tmp_path: Path) -> None:
    post = replace(POSTS[0], id="it-x-1", intents=("complaint",))
    second = {"id": post.id, "sentiment": post.sentiment, "intents": ["praise"], "emotion": post.emotion}
    second |= {"toxicity": post.toxicity, "urgency": post.urgency}
    (tmp_path / "second.jsonl").write_text(json.dumps(second) + "\n")
    (tmp_path / "settled.jsonl").write_text("")
    assert find_unsettled([post], tmp_path) == [f"{post.id}: intents is not settled: ('complaint',) or ('praise',)"]
    (tmp_path / "settled.jsonl").write_text('{"id": "it-x-1"}\n')
    with pytest.raises(CorpusError, match=r"settled\.jsonl line 1"):
        find_unsettled([post], tmp_path)
