"""Tier 0: linear heads over words, pairs, characters, cues, marks and polarity; one file a language, numpy only.

A post's score for an output is the sum, over five blocks of features, of the block's weights divided by the root of
the number of known features in it, plus an intercept. Words repeat, so a word's sums are kept as one row and a post
costs one gather. Training is in nlp/train/; the turn from scores into probabilities is in
nlp/calibration.py.
"""

import threading
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp.features import NEGATED, SOFTENED, Post
from nlp.lexicon import WordLists, load_lists, polarity_of
from nlp.model_files import ModelFileError

BLOCKS = ("word", "chars", "cue", "mark", "polarity")
_WORD, _CHARS, _CUE, _MARK, _POLARITY = range(5)
_MIN_CHARS_WORD = 4
_MAX_CHARS_WORD = 24
_GRAMS = (3, 4, 5)
_CHUNK = 256
_CACHE_ROWS = 60_000


def unit_features(unit: str, lists: WordLists) -> list[tuple[int, str]]:
    """Give the (block, feature) pairs of a token or of a pair of tokens joined by a blank."""
    softened = SOFTENED if unit.startswith(SOFTENED) else ""
    word = unit.replace(SOFTENED, "")
    negation = NEGATED if word.startswith(NEGATED) else ""
    bare = word.replace(NEGATED, "")
    found = [(_WORD, word)]
    found.extend((_CUE, f"{negation}<{group}>") for group in lists.cues.groups_of(bare))
    polarity = polarity_of(bare, lists.polarity)
    if polarity:
        found.append((_POLARITY, f"{softened}{negation}<{polarity}>"))
    if _MIN_CHARS_WORD <= len(bare) <= _MAX_CHARS_WORD and bare.isalpha():
        padded = f"_{bare}_"
        found.extend(
            (_CHARS, "~" + padded[start : start + size]) for size in _GRAMS for start in range(len(padded) - size + 1)
        )
    return found


def post_features(post: Post, lists: WordLists) -> Iterator[tuple[int, str]]:
    """Give every (block, feature) of a post, repetitions included: the slow, plain way, used in training."""
    for token in post.tokens:
        yield from unit_features(token, lists)
    for first, second in zip(post.tokens, post.tokens[1:], strict=False):
        yield from unit_features(f"{first} {second}", lists)
    for mark in post.marks:
        yield _MARK, mark


def _bare(pair: str, pairs: frozenset[str]) -> bool:
    """Whether a pair weighs anything once what negation and "but" put on it is taken off."""
    unsoftened = pair.replace(SOFTENED, "")
    return unsoftened in pairs or unsoftened.replace(NEGATED, "") in pairs


class NgramModel:
    """Linear heads of one language; `scores` may be called from several threads."""

    def __init__(
        self,
        *,
        language: str,
        features: Sequence[tuple[int, str]],
        weights: NDArray[np.float32],
        intercepts: NDArray[np.float32],
        outputs: Sequence[str],
    ) -> None:
        if weights.shape != (len(features), len(outputs)) or intercepts.shape != (len(outputs),):
            raise ModelFileError(f"weights {weights.shape} do not fit {len(features)} x {len(outputs)}")
        self.language = language
        self.outputs = tuple(outputs)
        self._features = tuple(features)
        self._weights = weights
        self._intercepts = intercepts
        self._lists = load_lists(language)
        self._index = {feature: position for position, feature in enumerate(self._features)}
        self._lock = threading.Lock()
        self._known_pairs = self._find_pairs()
        self._forget_rows()

    def _find_pairs(self) -> frozenset[str]:
        """Pairs that can weigh anything: those with a weight, and those in the word list."""
        weighted = {feature for block, feature in self._features if block == _WORD and " " in feature}
        listed = {entry for words in self._lists for entry in words.words if " " in entry}
        return frozenset(weighted | listed)

    def _forget_rows(self) -> None:
        self._rows: dict[str, int] = {}
        self._table = np.zeros((2048, len(BLOCKS) * (len(self.outputs) + 1)), dtype=np.float32)

    def _row_of(self, unit: str) -> int:
        """Position of a unit's sums in the table, computed at first sight."""
        features = [(_MARK, unit[1:])] if unit.startswith("\t") else unit_features(unit, self._lists)
        width = len(self.outputs)
        sums = np.zeros((len(BLOCKS), width + 1), dtype=np.float32)
        for block, feature in features:
            position = self._index.get((block, feature))
            if position is not None:
                sums[block, :width] += self._weights[position]
                sums[block, width] += 1
        row = len(self._rows)
        if row == len(self._table):
            self._table = np.concatenate([self._table, np.zeros_like(self._table)])
        self._table[row] = sums.ravel()
        self._rows[unit] = row
        return row

    def scores(self, posts: Sequence[Post]) -> NDArray[np.float32]:
        """Give (n_posts, n_outputs) float32 raw scores; each row depends on its own post alone."""
        if not posts:
            return np.zeros((0, len(self.outputs)), dtype=np.float32)
        with self._lock:
            parts = [self._score_chunk(posts[at : at + _CHUNK]) for at in range(0, len(posts), _CHUNK)]
        return np.concatenate(parts)

    def _score_chunk(self, posts: Sequence[Post]) -> NDArray[np.float32]:
        if len(self._rows) > _CACHE_ROWS:
            self._forget_rows()
        rows, row_of, pairs = self._rows, self._row_of, self._known_pairs
        gathered: list[int] = []
        starts: list[int] = []
        for post in posts:
            starts.append(len(gathered))
            previous = ""
            for token in post.tokens:
                row = rows.get(token)
                gathered.append(row_of(token) if row is None else row)
                pair = f"{previous} {token}"
                previous = token
                if pair in pairs or ((NEGATED in pair or SOFTENED in pair) and _bare(pair, pairs)):
                    row = rows.get(pair)
                    gathered.append(row_of(pair) if row is None else row)
            for mark in post.marks:
                unit = "\t" + mark
                row = rows.get(unit)
                gathered.append(row_of(unit) if row is None else row)
            if len(gathered) == starts[-1]:
                gathered.append(row_of("\t"))  # a row of zeros keeps every post one segment
        sums = np.add.reduceat(self._table[np.array(gathered)], np.array(starts), axis=0)
        blocks = sums.reshape(len(posts), len(BLOCKS), len(self.outputs) + 1)
        norms = 1.0 / np.sqrt(np.maximum(blocks[:, :, -1:], 1.0))
        scores: NDArray[np.float32] = (blocks[:, :, :-1] * norms).sum(axis=1) + self._intercepts
        return scores

    def save(self, path: Path) -> None:
        """Write the heads as one .npz of plain arrays (weights in half precision), no pickles."""
        text = "\n".join(f"{block}{feature}" for block, feature in self._features)
        np.savez_compressed(
            path,
            features=np.frombuffer(text.encode(), dtype=np.uint8),
            weights=self._weights.astype(np.float16),
            intercepts=self._intercepts,
            outputs=np.frombuffer("\n".join(self.outputs).encode(), dtype=np.uint8),
        )


def load_ngrams(path: Path, language: str) -> NgramModel:
    """Read a file written by `NgramModel.save`; raises ModelFileError naming it when it cannot be used."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            lines = arrays["features"].tobytes().decode().split("\n")
            outputs = arrays["outputs"].tobytes().decode().split("\n")
            weights = arrays["weights"].astype(np.float32)
            intercepts = arrays["intercepts"].astype(np.float32)
        features = [(int(line[0]), line[1:]) for line in lines]
        return NgramModel(language=language, features=features, weights=weights, intercepts=intercepts, outputs=outputs)
    except (OSError, KeyError, ValueError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise ModelFileError(f"cannot use the model file {path.name} in {path.parent}: {error}") from error
