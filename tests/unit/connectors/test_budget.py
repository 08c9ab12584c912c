"""Token buckets and money."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Capabilities
from connectors.budget import affordable_posts, cost_of_reply, estimate_month, full_bucket, month_start, next_month
from connectors.errors import BudgetExceededError

NOW = datetime(2026, 11, 10, 9, tzinfo=UTC)
PRICED = Capabilities(cost_per_post_micros=5_000, cost_per_reply_micros=10_000, cost_per_link_reply_micros=200_000)


def test_bucket_gives_its_capacity_and_then_says_how_long_to_wait() -> None:
    bucket = full_bucket(300, timedelta(minutes=5), NOW)
    for _ in range(300):
        bucket, wait = bucket.take(1, NOW)
        assert wait == timedelta(0)
    bucket, wait = bucket.take(1, NOW)
    assert wait == timedelta(seconds=1)
    bucket, wait = bucket.take(1, NOW + wait)
    assert wait == timedelta(0)


def test_bucket_is_unmoved_by_a_clock_that_goes_back() -> None:
    bucket, _ = full_bucket(10, timedelta(minutes=1), NOW).take(10, NOW)
    assert bucket.refill(NOW - timedelta(hours=1)).tokens == 0
    assert bucket.refill(NOW + timedelta(hours=1)).tokens == 10


def test_asking_for_more_than_a_bucket_holds_waits_for_a_full_one() -> None:
    bucket, wait = full_bucket(10, timedelta(minutes=1), NOW).take(25, NOW)
    assert (bucket.tokens, wait) == (0, timedelta(0))


@given(st.lists(st.floats(min_value=0, max_value=400), max_size=60))
def test_a_bucket_never_gives_more_than_its_rate(steps: list[float]) -> None:
    now, taken = NOW, 0
    bucket = full_bucket(10, timedelta(seconds=100), NOW)
    for seconds in steps:
        now += timedelta(seconds=seconds)
        bucket, wait = bucket.take(1, now)
        taken += wait == timedelta(0)
    assert taken <= 10 + (now - NOW).total_seconds() / 10 + 1


def test_posts_stop_before_the_cap_is_passed() -> None:
    assert affordable_posts(1_000_000, 0, PRICED, 500) == 200
    assert affordable_posts(1_000_000, 990_000, PRICED, 500) == 2
    assert affordable_posts(None, 10**12, PRICED, 500) == 500
    assert affordable_posts(0, 0, Capabilities(), 500) == 500
    with pytest.raises(BudgetExceededError):
        affordable_posts(1_000_000, 999_000, PRICED, 500)


def test_a_reply_with_a_link_costs_its_own_price() -> None:
    assert cost_of_reply("ciao", PRICED) == 10_000
    assert cost_of_reply("vedi https://a.it", PRICED) == 200_000
    assert cost_of_reply("vedi https://a.it", Capabilities(cost_per_reply_micros=7)) == 7


def test_months_are_utc_and_turn_at_the_year() -> None:
    assert month_start(NOW) == datetime(2026, 11, 1, tzinfo=UTC)
    assert next_month(datetime(2026, 12, 31, 23, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)


def test_a_month_is_estimated_from_posts_an_hour() -> None:
    assert estimate_month(2, PRICED) == 2 * 730 * 5_000
