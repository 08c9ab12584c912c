"""The cascade: the cheap tier reads every text, the dear one those the cheap one is least sure of.

How many of them is a budget: a share, or the posts a second that must be kept up with, measured on a clock that the
caller gives. Without a budget every text goes to the dear tier.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

_FIRST_SECONDS = {"cheap": 1 / 10_000, "dear": 1 / 300}  # a text, until measured
_MEMORY = 0.8  # of what was measured before, in each new estimate
_LEAST_COUNTED = 16  # a batch of fewer texts says little about a text's cost


class Budget:
    """How many texts of a batch the dear tier may read.

    posts_per_second: keep up with so many, whatever the tiers cost on this machine; share: this share of a batch, at
    most. With neither, all. Times are measured with `clock` (seconds); safe to use from several threads.
    """

    def __init__(
        self, *, posts_per_second: float | None = None, share: float | None = None, clock: Callable[[], float]
    ) -> None:
        if posts_per_second is not None and not posts_per_second > 0:
            raise ValueError(f"posts a second must be more than 0, not {posts_per_second}")
        if share is not None and not 0 <= share <= 1:
            raise ValueError(f"a share lies between 0 and 1, not {share}")
        self._pace = posts_per_second
        self._share = 1.0 if share is None else share
        self.clock = clock
        self._seconds = dict(_FIRST_SECONDS)

    @property
    def is_unlimited(self) -> bool:
        """Whether the dear tier may read everything, so that nobody need ask the cheap one."""
        return self._pace is None and self._share >= 1

    def quota(self, count: int) -> int:
        """How many of `count` texts the dear tier may read, at the costs measured so far."""
        most = math.floor(count * self._share + 1e-9)
        if self._pace is None:
            return most
        spare = 1 / self._pace - self._seconds["cheap"]  # seconds a text that the cheap tier leaves
        return max(0, min(most, math.floor(count * spare / self._seconds["dear"] + 1e-9)))

    def note(self, tier: str, *, count: int, seconds: float) -> None:
        """Learn what a text costs: `count` texts took the tier ("cheap" or "dear") so long."""
        if count >= _LEAST_COUNTED and seconds >= 0:
            measured = max(seconds / count, 1e-9)
            self._seconds[tier] = _MEMORY * self._seconds[tier] + (1 - _MEMORY) * measured


def least_sure(probabilities: Mapping[str, NDArray[np.float32]], understood: NDArray[np.bool_]) -> NDArray[np.intp]:
    """All positions, the least sure first.

    A text is as sure as its less sure task of sentiment and intent. One in a language without heads is nobody's to
    decide, so it comes last. Equal ones keep their order.
    """
    sureness = np.minimum(probabilities["sentiment"].max(axis=1), probabilities["intent"].max(axis=1))
    return np.lexsort((np.arange(len(sureness)), sureness, ~understood))
