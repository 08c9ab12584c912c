"""Softmax regression with a prior mean: weights stay near what is already believed unless the examples say otherwise.

With few examples of our own this is what keeps signs sane: a word list's prior, or what public posts taught, holds
wherever our posts are silent.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]  # scipy publishes no types
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

from nlp.base import SENTIMENTS


@dataclass(frozen=True, slots=True)
class Prior:
    """Believed weights (n_features, n_classes), intercepts (n_classes,), and how dear leaving them is, by feature."""

    weights: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    penalties: NDArray[np.float64]


def fit_softmax(
    matrix: csr_matrix, gold: NDArray[np.int64], prior: Prior, *, c: float, shares: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give weights (n_features, n_classes) and intercepts; `shares` weighs each example."""
    features, classes = prior.weights.shape
    size = features * classes
    wanted = np.eye(classes)[gold]
    transposed = matrix.T.tocsr()
    costs = prior.penalties[:, None] / c

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        moved, shift = flat[:size].reshape(features, classes), flat[size:]
        scores = matrix @ (prior.weights + moved) + prior.intercepts + shift
        scores -= scores.max(axis=1, keepdims=True)
        powers = np.exp(scores)
        totals = powers.sum(axis=1, keepdims=True)
        error = (powers / totals - wanted) * shares[:, None]
        likelihood = ((scores - np.log(totals)) * wanted).sum(axis=1) @ shares
        value = -likelihood + 0.5 * float((costs * moved**2).sum()) + 0.5 * float(shift @ shift) / c
        return value, np.concatenate([(transposed @ error + costs * moved).ravel(), error.sum(axis=0) + shift / c])

    best = minimize(loss, np.zeros(size + classes), jac=True, method="L-BFGS-B", options={"maxiter": 200, "ftol": 1e-6})
    return prior.weights + best.x[:size].reshape(features, classes), prior.intercepts + best.x[size:]


def balanced(gold: NDArray[np.int64], *, strength: float) -> NDArray[np.float64]:
    """(n,) weights that bring the classes `strength` of the way (0 to 1) to equal shares, with mean 1."""
    counts = np.bincount(gold, minlength=len(SENTIMENTS)).astype(np.float64)
    shares: NDArray[np.float64] = (counts.mean() / np.maximum(counts, 1.0))[gold] ** strength
    scaled: NDArray[np.float64] = shares / shares.mean()
    return scaled
