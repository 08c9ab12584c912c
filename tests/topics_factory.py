"""A space of words for tests of topics: texts that share words lie close. No model is needed, and nothing is random."""

import hashlib
from collections.abc import Sequence

import numpy as np

from nlp.topics import Vectors


class WordSpace:
    """Every word has a direction of its own, drawn from its hash; a text is the mean of its longer words."""

    name = "words.v1"
    join = 0.6
    merge = 0.85

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Give (n, 64) rows of unit length; zeros for a text without words."""
        rows = np.zeros((len(texts), 64), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in {word.strip(".,;:!?").lower() for word in text.split()}:
                if len(word) > 3:
                    rows[row] += _direction(word)
            length = float(np.linalg.norm(rows[row]))
            if length:
                rows[row] /= length
        return rows


class OtherWordSpace(WordSpace):
    """The same matters in other places: what a new model does to a space."""

    name = "words.v2"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Give the rows of the first space, turned."""
        return np.ascontiguousarray(super().embed(texts)[:, ::-1])


def _direction(word: str) -> Vectors:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
    found: Vectors = np.random.default_rng(seed).standard_normal(64).astype(np.float32)
    return found
