"""Brand terms found however they are written, and homonyms left alone."""

import pytest

from nlp.entities import BrandTerms, EntityFinder, fold

TERMS = BrandTerms(
    brands={"Caffè Aurora": ["Aurora"]},
    products={"Moka Lunetta": (), "Lunetta": ()},
    competitors=["Tramontana", "Big Bean"],
    context={"Tramontana": ["caffè", "coffee", "capsule"]},
)


@pytest.fixture(scope="module")
def finder() -> EntityFinder:
    return EntityFinder(TERMS)


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("Il Caffè Aurora è ottimo", "it", [("brand", "Caffè Aurora", "Caffè Aurora")]),
        ("caffe aurora che delusione", "it", [("brand", "Caffè Aurora", "caffe aurora")]),
        ("l'Aurora di oggi bruciata", "it", [("brand", "Caffè Aurora", "Aurora")]),
        ("#CaffèAurora vergogna", "it", [("brand", "Caffè Aurora", "CaffèAurora")]),
        ("@caffeaurora_it rispondete", "it", [("brand", "Caffè Aurora", "@caffeaurora_it")]),
        ("Aurora's new beans", "en", [("brand", "Caffè Aurora", "Aurora")]),
        ("due Lunette rotte", "it", [("product", "Lunetta", "Lunette")]),
        ("la Moka Lunetta perde", "it", [("product", "Moka Lunetta", "Moka Lunetta")]),
        ("switched from BigBean", "en", [("competitor", "Big Bean", "BigBean")]),
        ("capsule Tramontana finite", "it", [("competitor", "Tramontana", "Tramontana")]),
        ("oggi tramontana fortissima a Genova", "it", []),
        ("niente di nostro qui", "it", []),
    ],
)
def test_find_brand_terms(finder: EntityFinder, text: str, language: str, found: list[tuple[str, str, str]]) -> None:
    assert [(entity.kind, entity.name, entity.text) for entity in finder.find(text, language)] == found


def test_find_gives_true_offsets(finder: EntityFinder) -> None:
    text = "È vero: İstanbul batte Caffè Aurora?"
    (entity,) = finder.find(text, "it")
    assert text[entity.start : entity.end] == entity.text == "Caffè Aurora"


def test_fold_keeps_the_length() -> None:
    text = "Caffè İıß ﬁ Ǆ É’"
    assert len(fold(text)) == len(text)


def test_no_terms_find_nothing() -> None:
    assert EntityFinder(BrandTerms()).find("Caffè Aurora", "it") == ()
    assert EntityFinder(BrandTerms(brands=["", "  "])).find("Caffè Aurora", "it") == ()
