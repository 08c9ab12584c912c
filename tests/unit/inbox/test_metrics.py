"""Net sentiment: its formula, its interval, and its silence."""

import pytest

from inbox.reputation.metrics import net_sentiment, wilson_interval


def test_the_formula_leaves_out_neutral_and_unsure() -> None:
    found = net_sentiment({"positive": 30, "negative": 10, "neutral": 500, "unsure": 80, "none": 3})
    assert (found.value, found.n) == (50.0, 40)
    assert found.low is not None
    assert found.high is not None
    assert -100 <= found.low < 50 < found.high <= 100


def test_under_thirty_there_is_no_figure() -> None:
    found = net_sentiment({"positive": 20, "negative": 9})
    assert (found.value, found.low, found.high, found.n) == (None, None, None, 29)
    assert net_sentiment({}).value is None


def test_the_interval_is_wilsons() -> None:
    low, high = wilson_interval(81, 263)  # the worked example of Newcombe 1998, table I
    assert (low, high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))
    assert wilson_interval(0, 40)[0] == 0.0
    assert wilson_interval(40, 40)[1] == 1.0


def test_a_change_within_noise_is_told_from_a_real_one() -> None:
    before = net_sentiment({"positive": 50, "negative": 50})
    assert net_sentiment({"positive": 52, "negative": 48}).differs_from(before) is False
    assert net_sentiment({"positive": 80, "negative": 20}).differs_from(before) is True
    assert net_sentiment({"positive": 3}).differs_from(before) is None
    everyone = net_sentiment({"positive": 40})
    assert everyone.differs_from(everyone) is False
