"""Italian is complete: every message of the screens and of the errors they show has its words."""

import pytest
from babel.messages.pofile import read_po

from ascolto.web.i18n import LOCALE_FOLDER, words_of
from tests.catalogs import code_msgids, error_msgids, template_msgids

CATALOGS = sorted((LOCALE_FOLDER / "it").glob("*.po"))


def test_every_message_has_italian_words() -> None:
    words = words_of("it")
    used = {*template_msgids(), *code_msgids(), *error_msgids()}
    missing = sorted({(file, text) for file, text in used if text not in words.singular and text not in words.plural})
    assert not missing


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.name)
def test_no_message_is_fuzzy_or_empty(path: object) -> None:
    with open(str(path), "rb") as file:  # noqa: PTH123 - a parametrised path
        catalog = read_po(file, locale="it")
    for message in catalog:
        if message.id:
            texts = message.string if isinstance(message.string, tuple) else (message.string,)
            assert all(texts), message.id
            assert not message.fuzzy, message.id


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.name)
def test_translations_keep_the_places_of_values(path: object) -> None:
    import re

    places = re.compile(r"%\((\w+)\)s")
    with open(str(path), "rb") as file:  # noqa: PTH123 - a parametrised path
        catalog = read_po(file, locale="it")
    for message in catalog:
        if message.id and isinstance(message.id, str):
            assert set(places.findall(str(message.string))) == set(places.findall(message.id)), message.id


def test_catalogs_do_not_contradict_each_other() -> None:
    seen: dict[str, tuple[str, str]] = {}
    for path in CATALOGS:
        with path.open("rb") as file:
            for message in read_po(file, locale="it"):
                if message.id and isinstance(message.id, str):
                    before = seen.setdefault(message.id, (path.name, str(message.string)))
                    assert before[1] == str(message.string), (message.id, before[0], path.name)
