"""From raw scores to sentiment: calibrated probabilities, and where not to trust them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SentimentHead:
    """Calibration of one language: scores are divided by `temperature` and shifted by `biases` (one a class).

    A post is unsure where the likeliest class has less than `threshold`.
    """

    temperature: float
    biases: tuple[float, float, float]
    threshold: float

    def probabilities(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 3) raw scores → (n, 3) float32, rows sum to 1, columns SENTIMENTS."""
        shifted = scores.astype(np.float64) / self.temperature + np.array(self.biases)
        shifted -= shifted.max(axis=1, keepdims=True)
        powers = np.exp(shifted)
        shares: NDArray[np.float32] = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        return shares

    def unsure(self, probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(n,) bool: the likeliest class is not likely enough."""
        return np.asarray(probabilities.max(axis=1) < self.threshold)
