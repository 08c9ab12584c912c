"""Figures drawn from counts, each with what it stands on: an interval, n, and silence where n is too small."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

MIN_N = 30
Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class NetSentiment:
    """Net sentiment, from -100 to 100, with its 95 % interval; all None when n is under 30.

    `n` counts the posts with an opinion (positive or negative), `positive` and `negative` its parts.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    positive: int
    negative: int

    def differs_from(self, other: "NetSentiment") -> bool | None:
        """Whether the change can be told from noise at 95 %; None when either side is silent.

        Two-proportion z test with pooled variance (Agresti, Categorical Data Analysis, 3.1).
        """
        if self.value is None or other.value is None:
            return None
        pooled = (self.positive + other.positive) / (self.n + other.n)
        variance = pooled * (1 - pooled) * (1 / self.n + 1 / other.n)
        if variance == 0:
            return False
        difference = self.positive / self.n - other.positive / other.n
        return abs(difference) / math.sqrt(variance) > Z_95


def net_sentiment(counts: Mapping[str, int]) -> NetSentiment:
    """Give 100·(pos−neg)/(pos+neg) from counts by sentiment; neutral, unsure and untagged posts have no part in it.

    The interval is Wilson's for the share of positives, stretched to -100..100: it stays inside the range and
    holds for small n and extreme shares (Wilson 1927; Brown, Cai and DasGupta 2001).
    """
    positive, negative = counts.get("positive", 0), counts.get("negative", 0)
    n = positive + negative
    if n < MIN_N:
        return NetSentiment(None, None, None, n, positive, negative)
    low, high = wilson_interval(positive, n)
    return NetSentiment(
        value=100 * (positive - negative) / n,
        low=200 * low - 100,
        high=200 * high - 100,
        n=n,
        positive=positive,
        negative=negative,
    )


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """Give the 95 % interval of a share, both ends in [0, 1]."""
    if n <= 0:
        return 0.0, 1.0
    share = successes / n
    spread = Z_95**2 / n
    center = (share + spread / 2) / (1 + spread)
    half = Z_95 * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, center - half), min(1.0, center + half)
