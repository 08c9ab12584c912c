"""Word lists of our own writing: polarity and the cues of each intent, by language.

A list gives features, not verdicts: the heads learn what each group is worth. One line a group, "group: entry, entry";
an entry ending in * matches every word that begins so, an entry of two words matches the pair.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

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


@cache
def load_lexicon(language: str) -> Lexicon:
    """Give the list of a language we have heads for ("it", "en")."""
    if language not in LANGUAGES:
        raise ValueError(f"there is no word list for language {language!r}")
    return parse_lexicon((files(__name__) / f"{language}.txt").read_text(encoding="utf-8"))
