"""From raw scores to intents: ten independent calibrated probabilities, labels chosen, and where not to trust them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp.base import INTENTS

ALONE = ("spam", "other")  # these two never stand beside another intent
MAX_LABELS = 3


@dataclass(frozen=True, slots=True)
class IntentHead:
    """Calibration of one language: p = sigmoid(slope * score + leans . attitude + offset), by intent of INTENTS.

    Attitude is how likely the author is negative and positive (`leans` holds a pair an intent): it is what keeps
    praise out of plain complaints.
    An intent is chosen from its own `threshold` on; a post is unsure where the strongest choice lies under `floor`.
    """

    slopes: tuple[float, ...]
    offsets: tuple[float, ...]
    leans: tuple[tuple[float, float], ...]
    thresholds: tuple[float, ...]
    floor: float

    def probabilities(self, scores: NDArray[np.float32], sentiment: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 10) raw scores and (n, 3) sentiment → (n, 10) float32 in [0, 1], independent, columns INTENTS."""
        attitude = sentiment[:, [0, 2]].astype(np.float64)
        logits = scores.astype(np.float64) * np.array(self.slopes) + np.array(self.offsets)
        for column, (negative, positive) in enumerate(self.leans):  # element by element: a row never sees its batch
            logits[:, column] += attitude[:, 0] * negative + attitude[:, 1] * positive
        likely: NDArray[np.float32] = (1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0)))).astype(np.float32)
        return likely

    def choose(self, probabilities: NDArray[np.float32]) -> tuple[tuple[str, ...], ...]:
        """One to three intents a row, strongest first relative to its threshold; spam and other stand alone."""
        return choose_intents(probabilities, self.thresholds)

    def unsure(self, probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(n,) bool: no intent is likely enough to be trusted."""
        return np.asarray(probabilities.max(axis=1) < self.floor)


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
