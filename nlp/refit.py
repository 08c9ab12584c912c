"""Moving calibrated probabilities toward what people said: a scale and a shift a class, held near "nothing changes".

Pure arithmetic. What is fitted is laid over log-probabilities that are calibrated already, so that (1, 0, …) means
"as shipped", and the spreads say in log-odds how far a brand is believed to lie from that.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_TINY = 1e-6  # a float32 probability knows no finer odds
_STEPS = 50
_CLOSE = 1e-9
_LEAST_SCALE = 0.3


@dataclass(frozen=True, slots=True)
class Shift:
    """New log-probabilities, up to a constant: scale * old + shifts (k,)."""

    scale: float
    shifts: Array

    def apply(self, logits: Array) -> Array:
        """(n, k) log-probabilities → (n, k) probabilities, rows sum to 1."""
        return softmax(self.scale * logits + self.shifts)


@dataclass(frozen=True, slots=True)
class Spread:
    """How far from its prior a fit is believed to lie: standard deviations of the scale and of each shift."""

    scale: float = 0.2
    shift: float = 0.5


def unchanged(classes: int) -> Shift:
    """Give the shift that leaves probabilities as they are."""
    return Shift(1.0, np.zeros(classes))


def to_logits(probabilities: NDArray[np.float32]) -> Array:
    """(n, k) probabilities whose rows sum to 1 → (n, k) finite log-probabilities."""
    logs: Array = np.log(np.clip(probabilities.astype(np.float64), _TINY, 1.0))
    return logs


def to_pair(probabilities: NDArray[np.float32]) -> Array:
    """(n,) probabilities of a label → (n, 2) log-odds as of two classes, without and with it."""
    clipped = np.clip(probabilities.astype(np.float64), _TINY, 1.0 - _TINY)
    half = np.log(clipped / (1.0 - clipped)) / 2
    return np.column_stack([-half, half])


def softmax(logits: Array) -> Array:
    """(n, k) → (n, k), rows sum to 1."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


def fit_shift(logits: Array, gold: NDArray[np.int64], weights: Array, prior: Shift, spread: Spread) -> Shift:
    """Find the likeliest shift given gold classes (n,), each counting `weights` times, and a normal prior.

    The problem is convex, so Newton's steps, halved where they overshoot, always end at its one solution.
    """
    classes = logits.shape[1]
    wanted = np.eye(classes)[gold]
    centre = np.concatenate([[prior.scale], prior.shifts])
    precision = np.concatenate([[spread.scale**-2.0], np.full(classes, spread.shift**-2.0)])
    theta, best = centre.copy(), _loss(centre, logits, wanted, weights, centre, precision)
    for _ in range(_STEPS):
        step = _newton_step(theta, logits, wanted, weights, centre, precision)
        size = 1.0
        while size > _CLOSE:
            tried = theta - size * step
            tried[0] = max(tried[0], _LEAST_SCALE)
            loss = _loss(tried, logits, wanted, weights, centre, precision)
            if loss <= best:
                break
            size /= 2
        if size <= _CLOSE or best - loss < _CLOSE:
            break
        theta, best = tried, loss
    return Shift(float(theta[0]), theta[1:] - theta[1:].mean())


def _loss(theta: Array, logits: Array, wanted: Array, weights: Array, centre: Array, precision: Array) -> float:
    scores = theta[0] * logits + theta[1:]
    scores -= scores.max(axis=1, keepdims=True)
    logs = (scores * wanted).sum(axis=1) - np.log(np.exp(scores).sum(axis=1))
    return float(-(weights * logs).sum() + 0.5 * (precision * (theta - centre) ** 2).sum())


def _newton_step(theta: Array, logits: Array, wanted: Array, weights: Array, centre: Array, precision: Array) -> Array:
    shares = softmax(theta[0] * logits + theta[1:])
    error = weights[:, None] * (shares - wanted)
    gradient = np.concatenate([[float((error * logits).sum())], error.sum(axis=0)]) + precision * (theta - centre)
    # The curvature of row i is J'(diag p - pp')J with J = [logits | identity].
    weighted = weights[:, None] * shares
    mean = (shares * logits).sum(axis=1, keepdims=True)
    curvature: Array = np.zeros((len(theta), len(theta)), dtype=np.float64)
    np.fill_diagonal(curvature, precision)
    curvature[0, 0] += float((weighted * logits * (logits - mean)).sum())
    across = (weighted * (logits - mean)).sum(axis=0)
    curvature[0, 1:] += across
    curvature[1:, 0] += across
    curvature[1:, 1:] += np.diag(weighted.sum(axis=0)) - weighted.T @ shares
    return np.asarray(np.linalg.solve(curvature, gradient), dtype=np.float64)
