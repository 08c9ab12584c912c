"""Recognises what the rooms behind the screens said in English, and says it in the reader's language.

Connectors, listening and replies know no catalog. They write English with its values filled in, and so it is stored
("Reddit asks to wait 60 s"). Here such a text is matched with the msgids of the catalog ("Reddit asks to wait
%(wait)s s"), the most specific first; what nothing matches is shown as it is. See docs/decisions/0006.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PLACE = re.compile(r"%\((\w+)\)s")
LONGEST = 2_000  # characters; what we say is shorter
DEEPEST = 2  # a value may be a saying itself: "Reddit denies access: check the app's scopes"


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A msgid in pieces: the fixed texts, and the names of the places between them."""

    fixed: tuple[str, ...]
    names: tuple[str, ...]
    translated: str

    def values_in(self, text: str) -> dict[str, str] | None:
        """Give the values with which this msgid becomes the text, None when it cannot. Linear in its length."""
        first, *middle, last = self.fixed
        if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
            return None
        end = len(text) - len(last)
        at, values = len(first), []
        for piece in middle:
            found = text.find(piece, at, end)
            if found < 0:
                return None
            values.append(text[at:found])
            at = found + len(piece)
        values.append(text[at:end])
        filled: dict[str, str] = {}
        if any(filled.setdefault(name, value) != value for name, value in zip(self.names, values, strict=True)):
            return None
        return filled


class Phrasebook:
    """What may have been said, and its translation."""

    def __init__(self, phrases: Mapping[str, str]) -> None:
        self._whole = {msgid: text for msgid, text in phrases.items() if not PLACE.search(msgid)}
        patterns = [_read(msgid, text) for msgid, text in phrases.items() if PLACE.search(msgid)]
        self._patterns = sorted(patterns, key=lambda pattern: -sum(map(len, pattern.fixed)))

    def translate(self, text: str, *, depth: int = DEEPEST) -> str | None:
        """Give the translation of what was said, None when it is not known."""
        if (whole := self._whole.get(text)) is not None:
            return whole
        if not depth or len(text) > LONGEST:
            return None
        for pattern in self._patterns:
            values = pattern.values_in(text)
            if values is not None:
                told = {name: self.translate(value, depth=depth - 1) or value for name, value in values.items()}
                return PLACE.sub(lambda place, told=told: told[place[1]], pattern.translated)  # type: ignore[misc] # mypy does not infer the default's type
        return None


def _read(msgid: str, translated: str) -> _Pattern:
    pieces: Iterable[str] = PLACE.split(msgid)
    pieces = list(pieces)
    return _Pattern(tuple(pieces[::2]), tuple(pieces[1::2]), translated)
