"""Arithmetic of limits and money: a token bucket, cost of pages and replies, what a month may take.

Pure values in, pure values out; who stores them and when is the inbox's affair. Money is in micros,
millionths of a US dollar.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from connectors.base import Capabilities
from connectors.errors import BudgetExceededError
from connectors.text import find_urls

HOURS_A_MONTH = 730  # 365 days / 12 × 24


@dataclass(frozen=True, slots=True)
class TokenBucket:
    """So many calls at once (`capacity`), refilled evenly over `period`; `tokens` left at `updated_at`."""

    capacity: float
    period: timedelta
    tokens: float
    updated_at: datetime

    def refill(self, now: datetime) -> "TokenBucket":
        """Give the bucket as it is now; a clock that went back adds nothing."""
        passed = max((now - self.updated_at).total_seconds(), 0.0)
        gained = self.capacity * passed / self.period.total_seconds()
        return replace(self, tokens=min(self.capacity, self.tokens + gained), updated_at=max(now, self.updated_at))

    def take(self, count: float, now: datetime) -> tuple["TokenBucket", timedelta]:
        """Take calls if there are enough: (bucket after, zero), else (bucket now, how long to wait)."""
        bucket = self.refill(now)
        wanted = min(count, self.capacity)
        if bucket.tokens >= wanted:
            return replace(bucket, tokens=bucket.tokens - wanted), timedelta(0)
        missing = (wanted - bucket.tokens) / self.capacity
        return bucket, self.period * missing

    def charge(self, count: float) -> "TokenBucket":
        """Take calls that were made already; what is missing is waited for by the next."""
        return replace(self, tokens=self.tokens - count)


def full_bucket(capacity: float, period: timedelta, now: datetime) -> TokenBucket:
    """Give a bucket nobody has taken from."""
    return TokenBucket(capacity, period, capacity, now)


def month_start(now: datetime) -> datetime:
    """Give the first moment of the UTC month, when budgets begin anew."""
    return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(now: datetime) -> datetime:
    """Give the moment the next budget begins."""
    return month_start(month_start(now) + timedelta(days=32))


def cost_of_reply(text: str, capabilities: Capabilities) -> int:
    """Cost of sending this reply in micros; a link may cost more (X)."""
    if find_urls(text):
        return capabilities.cost_per_link_reply_micros or capabilities.cost_per_reply_micros
    return capabilities.cost_per_reply_micros


def affordable_posts(budget_micros: int | None, spent_micros: int, capabilities: Capabilities, wanted: int) -> int:
    """How many of the wanted posts may be read before the cap is passed; `None` is no cap.

    BudgetExceededError when not even one more fits.
    """
    cost = capabilities.cost_per_post_micros
    if budget_micros is None or cost == 0:
        return wanted
    fits = max(budget_micros - spent_micros, 0) // cost
    if fits == 0:
        raise BudgetExceededError("this month's budget for the source is used up")
    return min(wanted, fits)


def estimate_month(posts_per_hour: float, capabilities: Capabilities) -> int:
    """Cost of a month of reading at this rate, in micros."""
    return round(posts_per_hour * HOURS_A_MONTH * capabilities.cost_per_post_micros)
