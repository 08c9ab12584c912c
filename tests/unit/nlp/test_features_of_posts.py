"""What the tokeniser makes of a post."""

import pytest

from nlp.features import MAX_CHARS, tokenise


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Bellissimoooo!!!", ("bellissimoo", "!!")),
        ("l'app dell’hotel", ("l", "app", "dell", "hotel")),
        ("I don't know", ("i", "don't", "¬know")),
        ("bello ma lento", ("°bello", "ma", "lento")),
        ("non funziona, bene", ("non", "¬funziona", "bene")),
        ("#NonVaMale @lumea_it", ("<hashtag>", "non", "va", "male", "<handle>")),
        ("costa 29,90€ su https://x.it/a?b", ("costa", "<money>", "su", "<url>")),
        ("😡😡👍🏽", ("😡", "😡", "👍")),
        ("ok :) e :(", ("ok", "<smile>", "e", "<sad>")),
        ("ordine 88213", ("ordine", "<number>")),
        ("", ()),
    ],
)
def test_tokenise(text: str, tokens: tuple[str, ...]) -> None:
    assert tokenise(text).tokens == tokens


def test_marks_tell_the_shape() -> None:
    assert {"<q>", "<q-end>", "<caps>", "<short>"} <= set(tokenise("MA QUANDO?").marks)
    assert "<!!>" in tokenise("Vergogna!!!").marks
    assert "<price>" in tokenise("solo 9 euro").marks
    assert "<link>" in tokenise("vedi www.example.org").marks


@pytest.mark.parametrize(
    "text", ["\x00", "\ud800", "a" * 10_000_000, "\u202e" * 50, "()" * 9999, "@" * 9999, "#" * 9999]
)
def test_tokenise_takes_anything(text: str) -> None:
    assert len(tokenise(text).tokens) <= MAX_CHARS
