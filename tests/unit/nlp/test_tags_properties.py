"""What holds of the tags of any text at all, alone or in any company, in this process or another."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlp.base import EMOTIONS, INTENTS, SENTIMENTS, URGENCIES, Tags
from nlp.corpus.check import load_corpus
from nlp.pipeline import EmbeddedTagger, load_tagger
from tests.encoder_factory import write_encoder_model

ROOT = Path(__file__).resolve().parents[3]
HARD = (
    "",
    " \n\t ",
    "😡😡😡",
    "👨‍👩‍👧‍👦🏳️‍🌈",
    "x" * 1_000_000,
    "non va " * 150_000,
    "\u0300" * 5_000,
    "Z̷̢̛͓̦a̸̧l̵͉g̶o̷ c̸o̶m̵e̷s",
    "مرحبا كيف الحال",
    "\u202eRTL\u202c e poi basta",
    "a\x00b\x1b[31m \ud800 c",
    "".join(map(chr, range(160))),
    "&#x110000; &#0; &amp;&lt;",
    "@" * 3_000,
    "http://" * 2_000,
    "你好，我的包裹没有到",
)
PIECES = st.sampled_from(
    [
        "non",
        "Grazie!!",
        "😡",
        "@lumea",
        "https://a.b",
        "treno",
        "late again",
        "#vergogna",
        "\u202e",
        "\u0301",
        "&amp;",
        "\x00",
    ]
)
TEXTS = st.lists(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=12).map(" ".join)), min_size=1, max_size=7)
SETTINGS = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
_TAG_ELSEWHERE = """
import sys, json, hashlib
from pathlib import Path
from nlp.pipeline import load_tagger
model = Path(sys.argv[1])
tags = load_tagger(model=model.name, folder=model.parent).tag(json.loads(sys.stdin.read()))
arrays = (tags.sentiment, tags.intents, tags.emotion, tags.toxicity, tags.urgency, tags.language_confidence)
print(hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest(), tags.languages, tags.intent_labels)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder_model(tmp_path_factory.mktemp("models") / "encoder-v9")


@pytest.fixture(scope="module", params=["ngrams-v1", "encoder-v9", "default"])
def tagger(request: pytest.FixtureRequest, folder: Path) -> EmbeddedTagger:
    if request.param == "default":
        return load_tagger()
    return load_tagger(model=request.param, folder=folder.parent if request.param == "encoder-v9" else None)


def check(tags: Tags, count: int) -> None:
    """What every tagger promises of the numbers of every text."""
    assert len(tags) == count
    for array, labels in ((tags.sentiment, SENTIMENTS), (tags.emotion, EMOTIONS), (tags.urgency, URGENCIES)):
        assert array.shape == (count, len(labels))
        assert array.dtype == np.float32
        np.testing.assert_allclose(array.sum(axis=1), 1.0, atol=1e-5)
        assert (array >= 0).all()
    assert tags.intents.shape == (count, len(INTENTS))
    for independent in (tags.intents, tags.toxicity, tags.language_confidence):
        assert ((independent >= 0) & (independent <= 1)).all()
    for labels in tags.intent_labels:
        assert 1 <= len(labels) <= 3
        assert len(labels) == 1 or not {"spam", "other"} & set(labels)
    for row in (*tags.errors, *tags.strange):
        flags = (tags.sentiment_unsure, tags.intents_unsure, tags.emotion_unsure, tags.toxicity_unsure)
        assert all(unsure[row] for unsure in (*flags, tags.urgency_unsure))


def same(one: Tags, other: Tags, row: int, place: int) -> None:
    """The same answer, bit for bit."""
    for name in ("sentiment", "intents", "emotion", "toxicity", "urgency"):
        np.testing.assert_array_equal(getattr(one, name)[row], getattr(other, name)[place])
        assert getattr(one, f"{name}_unsure")[row] == getattr(other, f"{name}_unsure")[place]
    assert one.languages[row] == other.languages[place]
    assert one.intent_labels[row] == other.intent_labels[place]
    assert one.entities[row] == other.entities[place]


@SETTINGS
@given(texts=TEXTS)
def test_any_text_gets_probabilities(tagger: EmbeddedTagger, texts: list[str]) -> None:
    check(tagger.tag(texts), len(texts))


@SETTINGS
@given(texts=TEXTS, data=st.data())
def test_neither_order_nor_company_changes_a_text(
    tagger: EmbeddedTagger, texts: list[str], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(texts))))
    together, shuffled = tagger.tag(texts), tagger.tag([texts[row] for row in order])
    for place, row in enumerate(order):
        same(together, shuffled, row, place)
    row = data.draw(st.integers(0, len(texts) - 1))
    same(together, tagger.tag([texts[row]]), row, 0)


def test_hard_texts_get_answers_among_common_ones(tagger: EmbeddedTagger) -> None:
    common = [post.text for post in load_corpus()][:40]
    texts = [*HARD, *common]
    tags = tagger.tag(texts)
    check(tags, len(texts))
    assert set(tags.errors) == {0, 1}
    alone = tagger.tag(common)
    for place in range(len(common)):
        same(tags, alone, len(HARD) + place, place)
    for row, text in enumerate(HARD):
        same(tags, tagger.tag([text]), row, 0)


def test_another_process_says_the_same(folder: Path) -> None:
    texts = [*(post.text for post in load_corpus()[:20]), "😡", "Je suis ravi"]
    answers = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", _TAG_ELSEWHERE, str(folder)]
        done = subprocess.run(
            command, input=json.dumps(texts), env=environment, capture_output=True, text=True, check=True, cwd=ROOT
        )
        answers.add(done.stdout)
    tags = load_tagger(model=folder.name, folder=folder.parent).tag(texts)
    arrays = (tags.sentiment, tags.intents, tags.emotion, tags.toxicity, tags.urgency, tags.language_confidence)
    digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
    assert answers == {f"{digest} {tags.languages} {tags.intent_labels}\n"}
