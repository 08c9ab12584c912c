"""What is special about intents: how they lean on the author's attitude, and which labels a post gets."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp.base import INTENTS

ALONE = ("spam", "other")  # these two never stand beside another intent
MAX_LABELS = 3


@dataclass(frozen=True, slots=True)
class Leans:
    """How an author's attitude speaks for or against each intent; it keeps praise out of plain complaints.

    An intent's score becomes slope * score + leans . (how likely negative, how likely positive).
    """

    slopes: tuple[float, ...]
    leans: tuple[tuple[float, float], ...]

    def apply(self, scores: NDArray[np.float32], sentiment: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 10) raw scores and (n, 3) sentiment probabilities → (n, 10) raw scores."""
        leaning = scores.astype(np.float64) * np.array(self.slopes)
        negative, positive = sentiment[:, 0].astype(np.float64), sentiment[:, 2].astype(np.float64)
        for column, (against, towards) in enumerate(self.leans):  # element by element: a row never sees its batch
            leaning[:, column] += negative * against + positive * towards
        leant: NDArray[np.float32] = leaning.astype(np.float32)
        return leant


def choose_intents(probabilities: NDArray[np.float32], thresholds: tuple[float, ...]) -> tuple[tuple[str, ...], ...]:
    """One to three intents a row of (n, 10), strongest first relative to its threshold; spam and other stand alone."""
    ratios = probabilities / np.array(thresholds, dtype=np.float32)
    return tuple(_choose_row(row) for row in ratios)


def _choose_row(ratios: NDArray[np.float32]) -> tuple[str, ...]:
    order = np.argsort(-ratios, kind="stable")
    best = INTENTS[int(order[0])]
    if best in ALONE:
        return (best,)
    chosen = [INTENTS[int(column)] for column in order if ratios[column] >= 1.0]
    together = [intent for intent in chosen if intent not in ALONE][:MAX_LABELS]
    return tuple(together) or (best,)
