"""How often the machine was right: shares with intervals, silent where there are too few."""

import pytest

from inbox.listening.accuracy import LEAST_TOLD, Share


@pytest.mark.parametrize(("right", "n", "is_told"), [(0, 0, False), (19, 19, False), (15, 20, True), (0, 20, True)])
def test_a_share_is_told_from_twenty_on_and_lies_in_its_interval(right: int, n: int, *, is_told: bool) -> None:
    share = Share(right, n)
    assert share.is_told is is_told
    assert LEAST_TOLD == 20
    low, high = share.interval
    assert 0 <= low <= share.value + 1e-9
    assert share.value - 1e-9 <= high <= 1
    assert high - low > 0, "an interval never shrinks to a point"
