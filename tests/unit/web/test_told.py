"""What connectors, listening and replies say in English is told in Italian, values and all."""

import time

import pytest

from ascolto.web.i18n import words_of
from ascolto.web.told import LONGEST, Phrasebook
from tests.said_msgids import said_msgids

ITALIAN = words_of("it")


def test_every_text_of_the_rooms_has_italian_words() -> None:
    known = words_of("it").told
    said = set(said_msgids())
    missing = sorted((file, text) for file, text in said if known.translate(text) is None)
    assert not missing
    assert len(said) > 150, "the reader of the code finds what there is"


def test_italian_is_told_with_what_each_place_holds() -> None:
    """Filled with a word for each place, every text is recognised as itself, not as a vaguer one."""
    import re

    for _file, msgid in set(said_msgids()):
        names = re.findall(r"%\((\w+)\)s", msgid)
        filled = msgid % {name: f"«{name}»" for name in names} if names else msgid
        expected = ITALIAN.gettext(msgid)
        expected = expected % {name: f"«{name}»" for name in names} if names else expected
        assert ITALIAN.tell(filled) == expected


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Reddit asks to wait 61 s", "Reddit chiede di aspettare 61 s"),
        ("X failed with HTTP 503", "X ha avuto un errore HTTP 503"),
        ("X failed with HTTP 503: over capacity", "X ha avuto un errore HTTP 503: over capacity"),
        ("a.town gave no whole answer: time-out", "a.town non ha dato una risposta intera: tempo scaduto"),
        ("Reddit denies access: check the app's scopes", "Reddit nega l’accesso: controlla gli scope dell’app"),
        ("its id is longer than 200 characters", "il suo id supera i 200 caratteri"),
        ("This source reads Reddit without an account: connect one to answer.",
         "Questa fonte legge Reddit senza un account: collegane uno per rispondere."),
        ("nobody ever said this 100%", "nobody ever said this 100%"),
        ("", ""),
        (None, ""),
    ],
)  # fmt: skip
def test_a_stored_text_is_told_in_italian(said: str | None, told: str) -> None:
    assert ITALIAN.tell(said) == told
    assert words_of("en").tell(said) == (said or "")


def test_the_most_specific_words_win_and_equal_places_hold_equal_values() -> None:
    book = Phrasebook({"%(a)s": "cosa: %(a)s", "%(a)s fell": "%(a)s cadde", "%(a)s and %(a)s": "due %(a)s"})
    assert book.translate("it fell", depth=1) == "it cadde"
    assert book.translate("one and two", depth=1) == "cosa: one and two"
    assert book.translate("one and one", depth=1) == "due one"


@pytest.mark.parametrize("hostile", ["(" * LONGEST, "X " * (LONGEST // 2), ": " * (LONGEST // 2), "\x00" * 50_000])
def test_hostile_texts_are_told_in_no_time(hostile: str) -> None:
    started = time.thread_time()  # our own work: others' on a busy machine does not count
    assert isinstance(ITALIAN.tell(hostile), str)
    assert time.thread_time() - started < 0.5
