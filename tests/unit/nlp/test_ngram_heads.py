"""The linear heads: the same scores fast and slow, files that are refused, quality a broken model would not reach."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from nlp.base import INTENTS, SENTIMENTS
from nlp.corpus.check import load_corpus
from nlp.evaluate import label_f1, labels_to_rows, macro_f1
from nlp.features import tokenise
from nlp.lexicon import load_lists, parse_lexicon, polarity_of
from nlp.model_files import ModelFileError
from nlp.ngrams import BLOCKS, NgramModel, load_ngrams, post_features
from nlp.pipeline import MODELS, load_tagger

MODEL = MODELS / "ngrams-v1"
HELD_OUT = {  # written for this test, in no batch of the corpus
    "it": [
        ("Terza volta che il tecnico non si presenta, sono furioso", "negative"),
        ("Pessima esperienza, cibo freddo e camerieri maleducati", "negative"),
        ("Bolletta sbagliata di nuovo e nessuno risponde al telefono", "negative"),
        ("L'app si blocca sempre, non funziona niente", "negative"),
        ("Grazie di cuore a tutto lo staff, siete stati gentilissimi", "positive"),
        ("Ottimo prodotto, lo consiglio a tutti", "positive"),
        ("Che buono questo gelato, il migliore mai mangiato 😍", "positive"),
        ("A che ora apre il negozio domani?", "neutral"),
        ("Quanto costa l'abbonamento annuale?", "neutral"),
        ("Cerchiamo due commessi per il punto vendita di Lodi, inviare cv", "neutral"),
    ],
    "en": [
        ("Third time the engineer didn't show up, absolutely furious", "negative"),
        ("Terrible experience, cold food and rude waiters", "negative"),
        ("Wrong bill again and nobody answers the phone", "negative"),
        ("The app keeps crashing, nothing works", "negative"),
        ("Thank you so much to all the staff, you were lovely", "positive"),
        ("Great product, would recommend to anyone", "positive"),
        ("This ice cream is delicious, best I've ever had 😍", "positive"),
        ("What time does the shop open tomorrow?", "neutral"),
        ("How much is the annual plan?", "neutral"),
        ("We are hiring two sales assistants for our Leeds store, send your cv", "neutral"),
    ],
}


@pytest.mark.parametrize("language", ["it", "en"])
def test_scores_equal_the_plain_way(language: str) -> None:
    model = load_ngrams(MODEL / f"{language}.npz", language)
    lists = load_lists(language)
    texts = [post.text for post in load_corpus() if post.language == language][:40]
    fast = model.scores([tokenise(text) for text in texts])
    for row, text in enumerate(texts):
        sums = np.zeros((len(BLOCKS), len(model.outputs)))
        counts = np.zeros(len(BLOCKS))
        for block, feature in post_features(tokenise(text), lists):
            position = model._index.get((block, feature))
            if position is not None:
                sums[block] += model._weights[position]
                counts[block] += 1
        plain = (sums / np.sqrt(np.maximum(counts, 1.0))[:, None]).sum(axis=0) + model._intercepts
        np.testing.assert_allclose(fast[row], plain, atol=1e-3)


@pytest.mark.parametrize("language", ["it", "en"])
def test_sentiment_of_plain_posts_not_in_the_corpus(language: str) -> None:
    texts, gold = zip(*HELD_OUT[language], strict=True)
    tags = load_tagger(model="ngrams-v1").tag(texts)
    right = [SENTIMENTS[int(row.argmax())] == label for row, label in zip(tags.sentiment, gold, strict=True)]
    assert sum(right) >= 8
    assert tags.languages == (language,) * len(texts)


@pytest.mark.parametrize("language", ["it", "en"])
def test_every_label_is_learnt(language: str) -> None:
    posts = [post for post in load_corpus() if post.language == language]
    tags = load_tagger(model="ngrams-v1").tag([post.text for post in posts], [language] * len(posts))
    gold = np.array([SENTIMENTS.index(post.sentiment) for post in posts])
    assert macro_f1(gold, tags.sentiment.argmax(axis=1), 3) > 0.7  # held near the prior, not learnt by heart
    scores = label_f1(
        labels_to_rows([post.intents for post in posts], INTENTS), labels_to_rows(tags.intent_labels, INTENTS)
    )
    assert scores.min() > 0.5


def test_unsure_posts_are_less_often_right() -> None:
    posts = load_corpus()
    tags = load_tagger(model="ngrams-v1").tag([post.text for post in posts])
    right = tags.sentiment.argmax(axis=1) == [SENTIMENTS.index(post.sentiment) for post in posts]
    unsure = tags.sentiment_unsure
    assert 0.005 < unsure.mean() < 0.6
    assert right[~unsure].mean() > right[unsure].mean() + 0.05


def test_a_torn_or_missing_file_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "ngrams-v1"
    shutil.copytree(MODEL, folder)
    (folder / "it.npz").write_bytes((folder / "it.npz").read_bytes()[:500])
    with pytest.raises(ModelFileError, match=r"it\.npz"):
        load_tagger(model="ngrams-v1", folder=tmp_path, strict=True)
    (folder / "model.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelFileError, match=r"model\.json"):
        load_tagger(model="ngrams-v1", folder=tmp_path, strict=True)
    with pytest.raises(ModelFileError, match="nowhere"):
        load_tagger(model="nowhere", folder=tmp_path, strict=True)


def test_a_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "ngrams-v1"
    shutil.copytree(MODEL, folder)
    shutil.copy(folder / "it.npz", folder / "en.npz")
    with pytest.raises(ModelFileError, match="checksum"):
        load_tagger(model="ngrams-v1", folder=tmp_path, strict=True)


def test_the_model_is_small_and_holds_no_pickles() -> None:
    assert sum(file.stat().st_size for file in MODEL.iterdir()) < 5_000_000
    for language in ("it", "en"):
        with np.load(MODEL / f"{language}.npz", allow_pickle=False) as arrays:
            assert set(arrays) == {"features", "weights", "intercepts", "outputs"}


def test_weights_must_fit_the_features() -> None:
    with pytest.raises(ModelFileError, match="do not fit"):
        NgramModel(
            language="it",
            features=[(0, "ciao")],
            weights=np.zeros((2, 1), dtype=np.float32),
            intercepts=np.zeros(1, dtype=np.float32),
            outputs=["x"],
        )


@pytest.mark.parametrize(
    ("language", "word", "group"),
    [
        ("it", "pessimo", "neg3"),
        ("it", "ottima", "pos3"),
        ("it", "sconsigliato", "neg3"),
        ("it", "gratis", ""),
        ("it", "non funziona", "neg2"),
        ("it", "😍", "pos3"),
        ("en", "terrible", "neg3"),
        ("en", "can't wait", "pos2"),
        ("en", "😡", "neg3"),
    ],
)
def test_polarity_of_words(language: str, word: str, group: str) -> None:
    assert polarity_of(word, load_lists(language).polarity) == group


def test_polarity_lists_do_not_contradict_themselves() -> None:
    for language in ("it", "en"):
        polarity = load_lists(language).polarity
        for table in (polarity.words, polarity.prefixes):
            for entry, groups in table.items():
                assert len({group[:3] for group in groups}) == 1, entry


def test_lexicon_matches_words_prefixes_and_pairs() -> None:
    lexicon = parse_lexicon("# note\ngood: ottim*, top\nfail: non va\n")
    assert lexicon.groups_of("ottimissimo") == ("good",)
    assert lexicon.groups_of("top") == ("good",)
    assert lexicon.groups_of("topo") == ()
    assert lexicon.groups_of("non va") == ("fail",)
    with pytest.raises(ValueError, match="line 1"):
        parse_lexicon("no group here")


def test_calibration_is_described_for_every_language() -> None:
    described = json.loads((MODEL / "model.json").read_text(encoding="utf-8"))
    assert list(described["languages"]) == ["it", "en"]
