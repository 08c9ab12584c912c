"""What every tagger promises about its Tags, on the tagger in the package."""

import json

import numpy as np
import pytest

from nlp.base import EMOTIONS, INTENTS, SENTIMENTS, Tagger
from nlp.entities import BrandTerms
from nlp.pipeline import DEFAULT_MODEL, load_tagger, tags_to_json

POSTS = (
    "Lumea, due giorni senza internet e nessuno risponde. Vergogna",
    "Grazie a Katia del negozio, gentilissima, problema risolto subito!",
    "Quanto costa la spedizione in Sardegna?",
    "My parcel never arrived and nobody answers the phone",
    "love it, the best coffee I have ever had 😍",
    "does the router support wifi 6?",
    "😡😡😡",
    "",
    "a\x00b \ud800 c",
    "x" * 1_000_000,
    "مرحبا كيف الحال",
    "Z̷̢̛a̸l̵g̶o̷ c̸o̶m̵e̷s",
    "\u202eRTL override\u202c e poi basta",
    "   \n\t ",
)


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return load_tagger(terms=BrandTerms(brands={"Lumea": ["Lumea Telecom"]}))


def test_shapes_sums_and_ranges_hold_for_any_text(tagger: Tagger) -> None:
    tags = tagger.tag(POSTS)
    assert len(tags) == len(POSTS)
    assert tags.sentiment.shape == (len(POSTS), len(SENTIMENTS))
    assert tags.intents.shape == (len(POSTS), len(INTENTS))
    assert tags.sentiment.dtype == tags.intents.dtype == np.float32
    np.testing.assert_allclose(tags.sentiment.sum(axis=1), 1.0, atol=1e-5)
    assert ((tags.intents >= 0) & (tags.intents <= 1)).all()
    assert ((tags.language_confidence >= 0) & (tags.language_confidence <= 1)).all()
    assert tags.sentiment_unsure.dtype == tags.intents_unsure.dtype == np.bool_


def test_labels_are_one_to_three_and_spam_and_other_stand_alone(tagger: Tagger) -> None:
    for labels in tagger.tag(POSTS).intent_labels:
        assert 1 <= len(labels) <= 3
        assert set(labels) <= set(INTENTS)
        assert len(labels) == 1 or not {"spam", "other"} & set(labels)


def test_empty_texts_are_noted_and_the_rest_go_on(tagger: Tagger) -> None:
    tags = tagger.tag(POSTS)
    assert set(tags.errors) == {POSTS.index(""), POSTS.index("   \n\t ")}
    assert all(tags.sentiment_unsure[row] and tags.intents_unsure[row] for row in tags.errors)


def test_a_text_that_is_no_string_is_noted(tagger: Tagger) -> None:
    tags = tagger.tag(["tutto bene, grazie", None, 7])  # type: ignore[list-item]  # what a broken caller sends
    assert tags.errors == {
        1: "text is NoneType, not a string",
        2: "text is int, not a string",
    }


def test_no_texts_give_no_rows(tagger: Tagger) -> None:
    tags = tagger.tag([])
    assert len(tags) == 0
    assert tags.sentiment.shape == (0, 3)


def test_rows_do_not_depend_on_the_batch(tagger: Tagger) -> None:
    together = tagger.tag(POSTS)
    backwards = tagger.tag(POSTS[::-1])
    np.testing.assert_array_equal(together.sentiment, backwards.sentiment[::-1])
    np.testing.assert_array_equal(together.intents, backwards.intents[::-1])
    for row, text in enumerate(POSTS):
        alone = load_tagger().tag([text])
        np.testing.assert_array_equal(alone.sentiment[0], together.sentiment[row])
        np.testing.assert_array_equal(alone.intents[0], together.intents[row])


def test_hints_must_match_the_texts(tagger: Tagger) -> None:
    with pytest.raises(ValueError, match="2 texts but 1 language hints"):
        tagger.tag(["uno", "due"], ["it"])


def test_other_languages_are_always_unsure(tagger: Tagger) -> None:
    tags = tagger.tag(["Je suis vraiment très content de votre service, merci beaucoup"])
    assert tags.languages == ("fr",)
    assert tags.sentiment_unsure[0]
    assert tags.intents_unsure[0]
    assert tags.strange == {0}
    assert tags_to_json(tags, 0)["understood"] is False


def test_json_has_exactly_the_published_shape(tagger: Tagger) -> None:
    tags = tagger.tag(POSTS)
    found = json.loads(json.dumps(tags_to_json(tags, 0)))
    assert list(found) == [
        "language",
        "understood",
        "sentiment",
        "emotion",
        "intents",
        "toxicity",
        "urgency",
        "entities",
        "tagger",
    ]
    assert found["language"] == "it"
    assert found["understood"] is True
    assert list(found["emotion"]["probabilities"]) == list(EMOTIONS)
    assert list(found["urgency"]) == ["level", "probabilities", "unsure"]
    assert list(found["toxicity"]) == ["toxic", "probability", "unsure"]
    assert list(found["sentiment"]) == ["label", "probabilities", "unsure"]
    assert list(found["sentiment"]["probabilities"]) == list(SENTIMENTS)
    assert list(found["intents"]) == ["labels", "probabilities", "unsure"]
    assert list(found["intents"]["probabilities"]) == list(INTENTS)
    assert found["tagger"] == tagger.name == DEFAULT_MODEL.replace("-", ".")
    assert found["entities"] == [{"kind": "brand", "name": "Lumea", "text": "Lumea", "start": 0, "end": 5}]


def test_json_label_is_the_likeliest_even_when_unsure(tagger: Tagger) -> None:
    tags = tagger.tag(POSTS)
    for row in range(len(POSTS)):
        sentiment = tags_to_json(tags, row)["sentiment"]
        probabilities = sentiment["probabilities"]
        assert probabilities[sentiment["label"]] == max(probabilities.values())
        assert sum(probabilities.values()) == pytest.approx(1.0, abs=1e-5)
