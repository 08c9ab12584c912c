"""Word lists of our own writing: polarity and the cues of each intent, by language.

A list gives features, not verdicts: the heads learn what each group is worth. One line a group, "group: entry, entry";
an entry ending in * matches every word that begins so, an entry of two words matches the pair.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

LANGUAGES = ("it", "en")
_MIN_PREFIX = 3


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Groups by whole word (or pair of words, joined by a blank) and by prefix."""

    words: dict[str, tuple[str, ...]]
    prefixes: dict[str, tuple[str, ...]]

    def groups_of(self, word: str) -> tuple[str, ...]:
        """Groups a word belongs to, by itself and by its longest listed beginning; a pair only by itself."""
        found = self.words.get(word, ())
        if " " in word:
            return found
        for end in range(len(word), _MIN_PREFIX - 1, -1):
            by_prefix = self.prefixes.get(word[:end])
            if by_prefix:
                return (*found, *(group for group in by_prefix if group not in found))
        return found


def parse_lexicon(text: str) -> Lexicon:
    """Read a list; raises ValueError naming the line that has no group."""
    words: dict[str, tuple[str, ...]] = {}
    prefixes: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        group, separator, entries = line.partition(":")
        if not separator:
            raise ValueError(f"lexicon line {number} has no group")
        for raw in entries.split(","):
            entry = raw.strip()
            if not entry:
                continue
            table = prefixes if entry.endswith("*") else words
            key = entry.rstrip("*")
            table[key] = (*table.get(key, ()), group.strip())
    return Lexicon(words=words, prefixes=prefixes)


class WordLists(NamedTuple):
    """The lists of one language: cues of what a post wants, and polarity (pos1 to pos3, neg1 to neg3, emoji too)."""

    cues: Lexicon
    polarity: Lexicon


@cache
def load_lists(language: str) -> WordLists:
    """Give the lists of a language we have heads for ("it", "en")."""
    if language not in LANGUAGES:
        raise ValueError(f"there is no word list for language {language!r}")
    polarity = _read(f"polarity_{language}") + _read("polarity_emoji")
    return WordLists(cues=parse_lexicon(_read(language)), polarity=parse_lexicon(polarity))


def polarity_of(word: str, polarity: Lexicon) -> str:
    """Give the one polarity group of a word or pair: the whole word's before its longest beginning's; "" for none."""
    found = polarity.words.get(word) or polarity.groups_of(word)
    return found[0] if found else ""


def _read(name: str) -> str:
    return (files(__name__) / f"{name}.txt").read_text(encoding="utf-8")
