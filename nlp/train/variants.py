"""Variants of our own posts as people also type them, and posts made of halves of two: text without labels.

Only the student reads them, with the teacher's opinion of each; no label is carried over.
"""

import re
import unicodedata
from collections.abc import Callable

import numpy as np

from nlp.train.encoder_data import Lessons

_SENTENCE = re.compile(r"(?<=[.!?…])\s+")
_NEIGHBOURS = {"a": "s", "e": "r", "i": "o", "o": "p", "n": "m", "t": "r", "s": "d", "l": "k", "c": "v", "r": "e"}


def drop_accents(text: str, _: np.random.Generator) -> str:
    """As on a foreign keyboard."""
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


def drop_marks(text: str, _: np.random.Generator) -> str:
    """No punctuation, no capitals."""
    return " ".join(re.sub(r"[.,;:!?\"()]+", " ", text.lower()).split())


def shout(text: str, _: np.random.Generator) -> str:
    """All capitals."""
    return text.upper()


def mistype(text: str, rng: np.random.Generator) -> str:
    """One slip in twelve letters or so: swapped, doubled, left out, or a neighbouring key."""
    letters = list(text)
    for at in range(1, len(letters) - 1):
        if not letters[at].isalpha() or rng.random() > 1 / 12:
            continue
        kind = int(rng.integers(4))
        if kind == 0:
            letters[at], letters[at + 1] = letters[at + 1], letters[at]
        elif kind == 1:
            letters[at] *= 2
        elif kind == 2:  # noqa: PLR2004 - the third of four slips
            letters[at] = ""
        else:
            letters[at] = _NEIGHBOURS.get(letters[at], letters[at])
    return "".join(letters)


def shorten(text: str, rng: np.random.Generator) -> str:
    """One sentence less, or the first half of the words."""
    sentences = _SENTENCE.split(text)
    if len(sentences) > 1:
        sentences.pop(int(rng.integers(len(sentences))))
        return " ".join(sentences)
    words = text.split()
    return " ".join(words[: max(3, len(words) * 2 // 3)])


_CHANGES: tuple[Callable[[str, np.random.Generator], str], ...] = (drop_accents, drop_marks, shout, mistype, shorten)
_JOINED = 0.5  # share of the variants that are made of two posts


def vary(posts: Lessons, count: int, rng: np.random.Generator) -> Lessons:
    """Give `count` variants of every post, each in the language of its post and without labels."""
    found = Lessons()
    by_language = {
        code: [text for text, own in zip(posts.texts, posts.languages, strict=True) if own == code]
        for code in sorted(set(posts.languages))
    }
    for text, language in zip(posts.texts * count, posts.languages * count, strict=True):
        if rng.random() < _JOINED:
            others = by_language[language]
            other = others[int(rng.integers(len(others)))]
            new = join_halves(text, other)
        else:
            new = _CHANGES[int(rng.integers(len(_CHANGES)))](text, rng)
        if new.strip():
            found.add(new, language=language, origin="own", choices=None, marks=None)
    return found


def join_halves(first: str, second: str) -> str:
    """The first sentence (or half) of one post before the last sentence (or half) of another."""
    return f"{_cut(first, start=True)} {_cut(second, start=False)}"


def _cut(text: str, *, start: bool) -> str:
    sentences = _SENTENCE.split(text)
    if len(sentences) > 1:
        return sentences[0] if start else sentences[-1]
    words = text.split()
    middle = (len(words) + 1) // 2
    return " ".join(words[:middle] if start else words[middle:])
