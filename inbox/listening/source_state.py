"""What an outcome of a poll makes of a source: its state, the words for it, when to try again."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from connectors.budget import next_month
from connectors.errors import (
    AuthError,
    BadQueryError,
    BudgetExceededError,
    ConnectorError,
    MissingExtraError,
    PermanentError,
    RateLimitedError,
    SourceGoneError,
)
from inbox.store.tables import Source
from inbox.store.types import SourceState

log = structlog.get_logger(__name__)
DATABASE_ERRORS = (SQLAlchemyError,)
FAILURES_TO_LAG = 3
LONGEST_WAIT = timedelta(hours=1)
SHORTEST_BASE = 30  # seconds
CATCH_UP = timedelta(seconds=2)
LONGEST_RATE_LIMIT = timedelta(days=1)

Chance = Callable[[], float]  # a number in [0, 1)


def reason_to_wait(source: Source, now: datetime) -> str | None:
    """Give why a source is not to be polled now, None when it may be."""
    if source.state is SourceState.PAUSED:
        return "this source is paused"
    if source.state is SourceState.GONE:
        return "its network no longer knows this source"
    held = source.state in {SourceState.RATE_LIMITED, SourceState.OVER_BUDGET}
    if held and source.state_until is not None and source.state_until > now:
        return f"its network or budget asks to wait until {source.state_until.isoformat(timespec='minutes')}"
    return None


def note_success(
    source: Source, now: datetime, chance: Chance, *, heard_to: datetime | None, is_behind: bool = False
) -> None:
    """Set a source to well and to its own interval, give or take a tenth; to the next moment while it is behind."""
    if source.state is not SourceState.OK:
        log.info("poll.recovered", source=source.id, was=source.state.value)
    source.state, source.state_reason, source.state_until = SourceState.OK, "", None
    source.failures = 0
    source.last_polled_at, source.last_ok_at = now, heard_to
    wait = timedelta(seconds=source.poll_seconds) * (0.9 + 0.2 * chance())
    source.next_poll_at = now + (min(wait, CATCH_UP) if is_behind else wait)


def note_failure(source: Source, error: Exception, now: datetime, chance: Chance) -> None:
    """Set a source's state and its next try from an error; one log line when it goes down, none while it is."""
    before = source.state
    source.last_polled_at = now
    source.state_until = None
    kind, source.state_reason = describe(error)
    if isinstance(error, RateLimitedError):  # no failed attempt: the network only asks for patience
        wait = min(max(error.retry_after, timedelta(seconds=1)), LONGEST_RATE_LIMIT)
        source.state, source.state_until = SourceState.RATE_LIMITED, now + wait
        source.next_poll_at = source.state_until + timedelta(seconds=source.poll_seconds) * 0.2 * chance()
    elif isinstance(error, BudgetExceededError):
        source.state, source.state_until = SourceState.OVER_BUDGET, next_month(now)
        source.next_poll_at = source.state_until
    elif isinstance(error, SourceGoneError):
        source.state, source.next_poll_at = SourceState.GONE, None
    elif needs_person(error):
        source.state, source.next_poll_at = SourceState.AUTH_NEEDED, None
    else:
        source.failures += 1
        if source.failures >= FAILURES_TO_LAG or source.state is not SourceState.OK:
            source.state = SourceState.LAGGING
        source.next_poll_at = now + back_off(source.poll_seconds, source.failures, chance)
    if source.state is not before:
        log.warning("poll.failed", source=source.id, state=source.state.value, kind=kind)


def needs_person(error: Exception) -> bool:
    """Whether asking again is pointless until somebody changes the source's settings."""
    return isinstance(error, AuthError | BadQueryError | MissingExtraError | PermanentError | ValidationError)


def back_off(poll_seconds: int, failures: int, chance: Chance) -> timedelta:
    """Give how long to wait after so many failures in a row: doubling up to an hour, give or take a quarter."""
    doublings: int = 1 << min(max(failures - 1, 0), 10)
    base = timedelta(seconds=max(poll_seconds, SHORTEST_BASE)) * doublings
    factor: float = 0.75 + 0.5 * chance()
    return min(base, LONGEST_WAIT) * factor


def describe(error: Exception) -> tuple[str, str]:
    """Give an error's kind and its words for the operator, without anything a network or person wrote."""
    kind = type(error).__name__
    if isinstance(error, ConnectorError):
        return kind, error.message[:1000]
    if isinstance(error, ValidationError):
        fields = ", ".join(sorted({str(item["loc"][0]) for item in error.errors() if item["loc"]}))
        return kind, f"Its settings cannot be used: {fields}"
    return kind, f"Reading it failed unexpectedly ({kind}); the log has the details."
