"""Texts to learn from: the public sets that may be trained on, cleaned of every text kept for judging, and our own.

The public sets are not part of the project: the training command is given their folder. Sets with a non-commercial
clause are not even read here.
"""

import html
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp.base import INTENTS, SENTIMENTS
from nlp.corpus.check import LabelledPost

_KEY = re.compile(r"https?\S*|@\w+|\W+")
_SHINGLE = 4  # words
_SHARED = 0.34  # of a text's shingles; the sets write addresses and handles differently, and cut texts short
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
JUDGED = ("umsab/english_val.jsonl", "umsab/italian_val.jsonl", "tweeteval_sentiment/val.jsonl")


@dataclass(frozen=True, slots=True)
class Examples:
    """Labelled texts: sentiment (n,) int, intents (n, 10) float, NaN unknown."""

    texts: list[str]
    sentiment: NDArray[np.int64]
    intents: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.texts)


def text_key(text: str) -> str:
    """Give the key under which two texts are the same: letters and digits only, no addresses and handles."""
    return _KEY.sub("", clean_tweet(text).lower())


def clean_tweet(text: str) -> str:
    """Undo the escapes the public files carry."""
    plain = _ESCAPE.sub(lambda match: chr(int(match.group(1), 16)), text)
    plain = html.unescape(plain).replace('""', '"').encode("utf-8", "ignore").decode("utf-8")
    return plain.replace("\\n", " ").strip()


def read_lines(path: Path) -> list[dict[str, object]]:
    """Read a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


class JudgedTexts:
    """Every text that figures are reported on: none of them, nor a retweet or a cut of one, may be learnt from."""

    def __init__(self, folder: Path) -> None:
        texts = [str(row["text"]) for name in JUDGED for row in read_lines(folder / name)]
        self._keys = frozenset(text_key(text) for text in texts)
        self._shingles = frozenset(shingle for text in texts for shingle in _shingles(text))

    def __contains__(self, text: str) -> bool:
        if text_key(text) in self._keys:
            return True
        found = _shingles(text)
        return bool(found) and sum(shingle in self._shingles for shingle in found) >= _SHARED * len(found)


def _shingles(text: str) -> list[tuple[str, ...]]:
    words = [word for word in _KEY.sub(" ", clean_tweet(text).lower()).split() if word != "rt"]
    return [tuple(words[at : at + _SHINGLE]) for at in range(len(words) - _SHINGLE + 1)]


def own_examples(posts: Iterable[LabelledPost]) -> Examples:
    """Posts of the corpus as examples."""
    kept = list(posts)
    return Examples(
        texts=[post.text for post in kept],
        sentiment=np.array([SENTIMENTS.index(post.sentiment) for post in kept], dtype=np.int64),
        intents=np.array([[intent in post.intents for intent in INTENTS] for post in kept], dtype=np.float64).reshape(
            -1, len(INTENTS)
        ),
    )


def public_sentiment(folder: Path) -> Examples:
    """English posts labelled with sentiment (SemEval-2017), less every judged text."""
    forbidden = JudgedTexts(folder)
    seen: set[str] = set()
    texts: list[str] = []
    labels: list[int] = []
    for row in read_lines(folder / "semeval2017/train.jsonl"):
        text = clean_tweet(str(row["text"]))
        key = text_key(text)
        if key in seen or text in forbidden:
            continue
        seen.add(key)
        texts.append(text)
        labels.append(int(str(row["label"])))
    return Examples(
        texts=texts,
        sentiment=np.array(labels, dtype=np.int64),
        intents=np.full((len(texts), len(INTENTS)), np.nan),
    )


def join(*parts: Examples) -> Examples:
    """One set of several."""
    return Examples(
        texts=[text for part in parts for text in part.texts],
        sentiment=np.concatenate([part.sentiment for part in parts]),
        intents=np.concatenate([part.intents for part in parts]),
    )
