"""VADER, the popular word-list baseline, read in two ways; judged beside our models, never part of them."""

import importlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 0.05  # as its authors advise
_HALF = 0.5


def vader_compounds(texts: Sequence[str]) -> NDArray[np.float64] | None:
    """(n,) compound scores in [-1, 1]; None where the package (vaderSentiment) is not installed."""
    try:
        module = importlib.import_module("vaderSentiment.vaderSentiment")
    except ImportError:
        return None
    analyzer = module.SentimentIntensityAnalyzer()
    return np.array([float(analyzer.polarity_scores(text)["compound"]) for text in texts])


def by_thresholds(compounds: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) classes 0 negative, 1 neutral, 2 positive, neutral between the thresholds."""
    chosen: NDArray[np.int64] = np.where(compounds >= THRESHOLD, 2, np.where(compounds <= -THRESHOLD, 0, 1))
    return chosen


def as_obsei(compounds: NDArray[np.float64]) -> NDArray[np.int64]:
    """The likelier of the two labels Obsei gives: it knows no neutral, and calls a text without known words negative.

    obsei/analyzer/sentiment_analyzer.py, version 1.1, read in November 2026.
    """
    positive = np.where(compounds < 0, 1.0 + compounds, compounds)
    chosen: NDArray[np.int64] = np.where(positive > _HALF, 2, 0)
    return chosen
