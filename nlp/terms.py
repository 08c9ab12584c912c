"""Finds given terms in texts, as people write them: case and accents aside, plurals, hashtags, handles, slips.

A term matches whole words only. Cheap where nothing is found, which is most of the time: a set of words against a set
of words. No statistics, and no opinion on what a term means (entities.py, rulesets.py).
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from nlp.inflection import inflections, plurals, slips

MAX_CHARS = 4000
_MARK = "\u0300"  # stands for everything that is written onto a letter or is not seen at all
_ODD_LETTERS = {"ı": "i", "ø": "o", "ł": "l", "đ": "d", "ß": "s", "’": "'", "‘": "'", "`": "'", "´": "'"}
_UNSEEN = {"Mn", "Me", "Cf"}
_HANDLE_ENDS = (
    "", "it", "italia", "italy", "uk", "us", "ie", "fr", "de", "es", "pt", "official", "ufficiale", "care", "help",
    "support", "assistenza", "team",
)  # fmt: skip
_TAG_AFFIXES = frozenset(("no", "my", "mi", "mio", "mia", "il", "la", "lo", "it", "uk", "us", "the", "go", "we", "i"))
_MIN_IN_TAG = 6  # letters of a name that is recognised within a hashtag in one piece: #boicottaborbotto
_MIN_TAG_REST = 4
_MIN_JOINED = 5
_MIN_BESIDE_STAR = 2
_WORD = re.compile(r"[^\W_]+")
_UNIT = re.compile(
    r"(?P<skip>(?:https?://|www\.)\S+|[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+)"
    r"|@(?P<handle>\w(?:[\w.-]*\w)?)(?:@\w[\w.-]*)?"
    r"|\#(?P<tag>\w+)"
    r"|(?P<word>[^\W_]+)"
)
_HOLDS_MORE = re.compile(r"[@#]|://|www\.")
_GAP = re.compile(r"[ \t\xa0]{1,2}|[ \t]?[-_&+'/·][ \t]?|\.|\n|")
_UNDERSCORE = re.compile("_")
_HUMP = re.compile(r"[A-ZÀ-Þ]?[a-zß-ÿ]+|[A-ZÀ-Þ]+(?![a-zß-ÿ])|\d+")
_NO_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")

_Test = frozenset[str] | re.Pattern[str]
_NAME, _SLIP = 0, 1


class _Fold(dict[int, str]):
    def __missing__(self, point: int) -> str:
        character = chr(point)
        if unicodedata.category(character) in _UNSEEN:
            folded = _MARK
        else:
            lower = unicodedata.normalize("NFKD", character)[:1].lower()[:1] or character
            folded = _ODD_LETTERS.get(lower, lower)
        self[point] = folded
        return folded


_FOLD = _Fold()


def fold(text: str) -> str:
    """Lower case without accents, one character for one, so that offsets stay true."""
    return text.lower() if text.isascii() else text.translate(_FOLD)


@dataclass(frozen=True, slots=True)
class Hit:
    """A term found: which one, where (offsets in characters of the text), and how sure the writing makes it."""

    key: int
    start: int
    end: int
    is_handle: bool = False  # an account was addressed: no homonym writes like that
    rank: int = _NAME


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to write a term, from its second word on; the first is what it is filed under."""

    key: int
    rest: tuple[_Test, ...] = ()
    gap: re.Pattern[str] = _GAP
    rank: int = _NAME


class _Unit(NamedTuple):
    kind: str  # word | tag | handle
    word: str
    start: int
    end: int


class Reading:
    """A text read once for any number of term lists."""

    def __init__(self, text: str) -> None:
        self.text = text[:MAX_CHARS]
        folded = fold(self.text)
        # Marks on letters go, and the way back to the text's own offsets is kept.
        self._places = [at for at, character in enumerate(folded) if character != _MARK] if _MARK in folded else None
        self.plain = folded if self._places is None else folded.replace(_MARK, "")

    @cached_property
    def words(self) -> list[str]:
        """Every run of letters and digits, in whatever it stands."""
        return _WORD.findall(self.plain)

    @cached_property
    def units(self) -> list[_Unit]:
        """Words, hashtags and handles in order; addresses left out."""
        if not _HOLDS_MORE.search(self.plain):
            return [_Unit("word", match[0], *match.span()) for match in _WORD.finditer(self.plain)]
        return [
            _Unit(kind, match[kind], *match.span())
            for match in _UNIT.finditer(self.plain)
            if (kind := match.lastgroup or "skip") != "skip"
        ]

    @cached_property
    def _starts(self) -> list[int]:
        return [self.span(unit.start, unit.end)[0] for unit in self.units]

    def nth_word(self, offset: int) -> int:
        """How many words begin before or at this offset of the text."""
        return bisect_right(self._starts, offset)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Offsets of the text for offsets of `plain`, the marks on its last letter included."""
        if self._places is None:
            return start, end
        after = self._places[end] if end < len(self._places) else len(self.text)
        last = self._places[end - 1] + 1
        return self._places[start], after if not self.text[last:after].isspace() else last


class TermIndex:
    """A list of (key, term), ready to be looked for. `is_name`: proper names, which have plurals and slips only.

    A term may be several words, a hashtag or handle (then nothing else counts), a sign or emoji, and hold "*": any
    letters within a word, or alone any one word. In double quotes it is found in this form alone. ValueError names a
    term that would match everything.
    """

    def __init__(self, terms: Sequence[tuple[int, str]], *, is_name: bool) -> None:
        self._vary: Callable[..., set[str]] = plurals if is_name else inflections
        self._has_slips = is_name
        self._ways: dict[str, tuple[_Way, ...]] = {}
        self._patterns: list[tuple[re.Pattern[str], _Way]] = []
        self._handles: dict[str, int] = {}
        self._tags: dict[str, int] = {}
        self._signs: dict[str, int] = {}
        self._in_tags: dict[str, int] = {}
        self._openers: set[str] = set()  # first words of what is written as one account or hashtag
        for key, term in terms:
            self._add(key, term)
        self._first_words = frozenset(self._ways) | frozenset(self._handles) | frozenset(self._tags) | self._openers
        self._sign = _alternatives(self._signs)
        self._within_tag = _alternatives(self._in_tags)
        self._any_pattern = re.compile("|".join(rf"(?:{test.pattern})" for test, _ in self._patterns) or "(?!)")

    def _add(self, key: int, term: str) -> None:
        plain = fold(term).replace(_MARK, "").strip()
        is_exact = len(plain) > len('""') and plain[0] == plain[-1] == '"'
        plain = plain.strip('"').strip() if is_exact else plain
        words = re.findall(r"[^\W_]*\*[\w*]*|[^\W_]+", plain)
        if not plain.strip("* ") or any("*" in word and _is_too_open(word, words) for word in words):
            raise ValueError(f'"{term}" would be found everywhere')
        self._openers.update(words[:1] if plain[0] in "@#" else ())
        if plain[0] == "@" and words:
            self._handles.setdefault(_joined(plain.partition("@")[2].partition("@")[0]), key)
        elif plain[0] == "#" and words:
            self._tags.setdefault(_joined(plain), key)
        elif not words or _NO_SPACES.search(plain):
            self._signs.setdefault(plain, key)
        elif is_exact:
            tests = [self._test(word, is_exact=True) for word in words]
            self._file_all(tests[0], _Way(key, tuple(tests[1:])))
        else:
            self._add_words(key, term, words)

    def _add_words(self, key: int, term: str, words: Sequence[str]) -> None:
        is_accented = unicodedata.normalize("NFD", term.strip())[-1:] in "\u0300\u0301"
        tests = [self._test(word, is_accented=is_accented and word == words[-1]) for word in words]
        gap = _UNDERSCORE if "_" in term and " " not in term else _GAP
        self._file_all(tests[0], _Way(key, tuple(tests[1:]), gap))
        joined = "".join(words)
        if "*" in joined:
            return
        if len(words) > 1 and len(joined) >= _MIN_JOINED:
            for variant in self._vary(joined, is_accented=is_accented):
                self._file(variant, _Way(key))
        if self._has_slips:
            for variant in slips(joined):
                self._file(variant, _Way(key, rank=_SLIP))
            for end in _HANDLE_ENDS:
                self._handles.setdefault(joined + end, key)
        if len(joined) >= _MIN_IN_TAG:
            self._in_tags.setdefault(joined, key)

    def _test(self, word: str, *, is_accented: bool = False, is_exact: bool = False) -> _Test:
        if "*" in word:
            return re.compile(r"(?<![^\W_])" + re.escape(word).replace(r"\*", r"[^\W_]*") + r"(?![^\W_])")
        return frozenset({word} if is_exact else self._vary(word, is_accented=is_accented))

    def _file_all(self, first: _Test, way: _Way) -> None:
        if isinstance(first, re.Pattern):
            self._patterns.append((first, way))
        else:
            for variant in first:
                self._file(variant, way)

    def _file(self, word: str, way: _Way) -> None:
        self._ways[word] = (*self._ways.get(word, ()), way)

    def may_hold(self, reading: Reading) -> bool:
        """Whether a search is worth it; what it refuses holds no term."""
        return (
            not self._first_words.isdisjoint(reading.words)
            or bool(self._sign and self._sign.search(reading.plain))
            or bool(self._patterns and self._any_pattern.search(reading.plain))
            or bool(self._within_tag and "#" in reading.plain and self._within_tag.search(reading.plain))
            or ("#" in reading.plain and any(unit.kind == "tag" for unit in reading.units))
        )

    def find(self, reading: Reading) -> list[Hit]:
        """Give every term found, in order, overlaps and all."""
        if not self.may_hold(reading):
            return []
        found = [*self._find_units(reading)]
        if self._sign:
            found.extend(
                Hit(self._signs[match.group()], *reading.span(*match.span()))
                for match in self._sign.finditer(reading.plain)
            )
        return sorted(found, key=lambda hit: (hit.start, -hit.end, hit.rank, hit.key))

    def _find_units(self, reading: Reading) -> Iterator[Hit]:
        units = reading.units
        for at, unit in enumerate(units):
            if unit.kind == "handle":
                key = self._handles.get(_joined(unit.word))
                if key is not None:
                    yield Hit(key, *reading.span(unit.start, unit.end), is_handle=True)
            elif unit.kind == "tag":
                yield from self._find_in_tag(reading, unit)
            elif unit.word in self._ways or self._patterns:
                for start, end, way in self._find_at(units, at, reading.plain):
                    yield Hit(way.key, *reading.span(start, end), rank=way.rank)

    def _find_at(self, units: Sequence[_Unit], at: int, plain: str) -> Iterator[tuple[int, int, _Way]]:
        unit = units[at]
        ways = list(self._ways.get(unit.word, ()))
        if self._patterns:
            ways.extend(way for test, way in self._patterns if test.fullmatch(unit.word))
        for way in ways:
            end = _follow(units, at, way, plain)
            if end:
                yield unit.start, end, way

    def _find_in_tag(self, reading: Reading, unit: _Unit) -> Iterator[Hit]:
        """A hashtag that is the term, one of its humps or parts, or in one piece with other words."""
        body = _joined(unit.word)
        key = self._tags.get(body)
        whole = reading.span(unit.start + 1, unit.end)
        if key is not None:
            yield Hit(key, *whole)
        for way in self._ways.get(body, ()):
            if not way.rest:
                yield Hit(way.key, *whole, rank=way.rank)
        parts = _humps(reading, unit)
        for at in range(len(parts)):
            for start, end, way in self._find_at(parts, at, reading.plain):
                if way.rank == _NAME:
                    yield Hit(way.key, *reading.span(start, end))
        match = self._within_tag.search(unit.word) if self._within_tag else None
        if match and _stands_in_tag(unit.word, *match.span()):
            yield Hit(
                self._in_tags[match.group()],
                *reading.span(unit.start + 1 + match.start(), unit.start + 1 + match.end()),
            )


def longest(hits: Sequence[Hit]) -> list[Hit]:
    """Those that stand where hits overlap: the longest, then the better written, then the first; in order."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: (hit.start - hit.end, hit.rank, hit.start, hit.key)):
        if all(hit.end <= other.start or hit.start >= other.end for other in kept):
            kept.append(hit)
    return sorted(kept, key=lambda hit: hit.start)


def _follow(units: Sequence[_Unit], at: int, way: _Way, plain: str) -> int:
    """Where a term ends whose first word is the unit at this place; 0 where the next words are not its."""
    last = units[at]
    for test in way.rest:
        at += 1
        if at >= len(units) or units[at].kind != "word" or not way.gap.fullmatch(plain, last.end, units[at].start):
            return 0
        word = units[at].word
        if not (word in test if isinstance(test, frozenset) else test.fullmatch(word)):
            return 0
        last = units[at]
    return last.end


def _humps(reading: Reading, unit: _Unit) -> list[_Unit]:
    """The parts of a hashtag: what humps, digits and underscores divide."""
    start, end = reading.span(unit.start + 1, unit.end)
    written = reading.text[start:end]
    if end - start != len(unit.word):
        written = unit.word  # marks on its letters: humps cannot be told
    first = unit.start + 1
    return [
        _Unit("word", unit.word[match.start() : match.end()], first + match.start(), first + match.end())
        for match in _HUMP.finditer(written)
    ]


def _stands_in_tag(word: str, start: int, end: int) -> bool:
    """Whether what is left of a hashtag beside a name are words too, not the rest of a longer word."""
    rests = [rest.strip("_") for rest in (word[:start], word[end:])]
    return all(not rest or rest in _TAG_AFFIXES or len(rest) >= _MIN_TAG_REST for rest in rests)


def _is_too_open(word: str, words: Sequence[str]) -> bool:
    letters = word.replace("*", "")
    return len(letters) < _MIN_BESIDE_STAR and not (word == "*" and words[0] != "*" and words[-1] != "*")


def _joined(word: str) -> str:
    return word if word.isalnum() else "".join(_WORD.findall(word))


def _alternatives(words: dict[str, int]) -> re.Pattern[str] | None:
    ordered = sorted(words, key=lambda word: (-len(word), word))
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None
