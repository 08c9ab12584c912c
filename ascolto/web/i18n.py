"""Words: which language a person reads, and the catalogs that hold it.

Msgids are English. Italian stands in `locale/it/*.po`, one file a group of screens, merged and read as they
are: nothing has to be compiled. What a catalog lacks falls back to English; a test sees to it that none does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from babel.core import negotiate_locale
from babel.messages.pofile import read_po
from babel.plural import PluralRule, to_python

from ascolto.web.told import Phrasebook

LANGUAGES = ("en", "it")
DEFAULT_LANGUAGE = "en"
LANGUAGE_NAMES = {"en": "English", "it": "Italiano"}
LOCALE_FOLDER = Path(__file__).with_name("locale")
TOLD_CATALOG = "networks.po"  # what connectors, listening and replies say, values and all

# Italian counts one and other; CLDR's "many" (millions with "di") does not fit our phrases.
_PLURAL_IS_OTHER = to_python(PluralRule({"one": "n is 1"}))


@dataclass(frozen=True)
class Words:
    """One language's messages. `singular` maps msgid → text, `plural` (msgid) → (one, other)."""

    language: str
    singular: Mapping[str, str] = field(default_factory=dict)
    plural: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    contexts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    told: Phrasebook = field(default_factory=lambda: Phrasebook({}))

    def gettext(self, msgid: str) -> str:
        """Translate a message; the msgid itself where there is no translation."""
        return self.singular.get(msgid) or msgid

    def ngettext(self, one: str, other: str, count: int) -> str:
        """Translate a message that counts."""
        forms = self.plural.get(one, (one, other))
        return forms[0] if _PLURAL_IS_OTHER(count) == "one" else forms[1]

    def pgettext(self, context: str, msgid: str) -> str:
        """Translate a message whose meaning depends on a context ("verb", "noun")."""
        return self.contexts.get((context, msgid)) or self.gettext(msgid)

    def npgettext(self, context: str, one: str, other: str, count: int) -> str:
        """Translate a counting message; contexts do not tell plurals apart here."""
        del context
        return self.ngettext(one, other, count)

    def tell(self, text: str | None) -> str:
        """Translate what the rooms behind the screens said in English, its values already filled in."""
        if not text:
            return ""
        return self.singular.get(text) or self.told.translate(text) or text

    def fill(self, msgid: str, values: Mapping[str, str | int]) -> str:
        """Translate, then fill the `%(name)s` places; a text without values may have been filled before."""
        return self.gettext(msgid) % dict(values) if values else self.tell(msgid)


def N_(msgid: str) -> str:  # noqa: N802 - gettext's own name for "translate later"
    """Mark a msgid for the catalogs; it is translated where it is shown."""
    return msgid


@lru_cache(maxsize=len(LANGUAGES))
def words_of(language: str) -> Words:
    """Give the words of a language, from all its catalogs."""
    singular: dict[str, str] = {}
    plural: dict[str, tuple[str, str]] = {}
    contexts: dict[tuple[str, str], str] = {}
    told: dict[str, str] = {}
    for path in sorted((LOCALE_FOLDER / language).glob("*.po")):
        with path.open("rb") as file:
            catalog = read_po(file, locale=language)
        for message in catalog:
            if not message.id or message.fuzzy:
                continue
            texts = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
            msgid = message.id if isinstance(message.id, str) else message.id[0]
            if not isinstance(message.id, str):
                plural[msgid] = (texts[0], texts[-1])
            elif message.context:
                contexts[message.context, msgid] = texts[0]
            else:
                singular[msgid] = texts[0]
                if path.name == TOLD_CATALOG:
                    told[msgid] = texts[0]
    return Words(language, singular, plural, contexts, Phrasebook(told))


def choose_language(*, user: str | None, cookie: str | None, accept: str | None) -> str:
    """Decide: the person's own setting, else the cookie, else what the browser asks for, else English."""
    for wish in (user, cookie):
        if wish in LANGUAGES:
            return wish
    wished = [part.split(";")[0].strip().replace("-", "_") for part in (accept or "").split(",")]
    found = negotiate_locale([wish for wish in wished if wish], LANGUAGES, sep="_")
    return found if found in LANGUAGES else DEFAULT_LANGUAGE
