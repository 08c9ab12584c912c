"""A circuit breaker per source: after five failures in a row the source rests, then one reply tries the way.

Kept in the table of token buckets, so that all processes share it: `tokens` counts failures in a row,
`blocked_until` is the end of the rest. While a probe is under way the others keep waiting.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from inbox.store.queries.replies import BREAKER_PREFIX
from inbox.store.statements import insert_ignoring
from inbox.store.tables import RateBucket

FAILURES = 5
FIRST_REST = timedelta(seconds=30)
LONGEST_REST = timedelta(minutes=15)
PROBE = timedelta(minutes=2)


def may_call(session: Session, source_id: int, *, now: datetime) -> bool:
    """Whether a call may go out now; after a rest the first to ask is the probe, and the others wait for it."""
    bucket = _bucket(session, source_id)
    if bucket is None:
        return True
    if bucket.blocked_until is not None and bucket.blocked_until > now:
        return False
    if bucket.tokens >= FAILURES:
        bucket.blocked_until = now + PROBE
    return True


def note_success(session: Session, source_id: int) -> bool:
    """Close the breaker; says whether it had been open."""
    bucket = _bucket(session, source_id)
    if bucket is None or (bucket.tokens == 0 and bucket.blocked_until is None):
        return False
    was_open = bucket.tokens >= FAILURES
    bucket.tokens = 0
    bucket.blocked_until = None
    return was_open


def note_failure(session: Session, source_id: int, *, now: datetime) -> bool:
    """Count a failure of the network; says whether this one opened the breaker."""
    insert_ignoring(session, RateBucket, [{"key": _key(source_id), "tokens": 0.0, "refilled_at": now}], ("key",))
    bucket = _bucket(session, source_id)
    if bucket is None:
        return False
    bucket.tokens += 1
    bucket.refilled_at = now
    if bucket.tokens < FAILURES:
        return False
    doublings = min(int(bucket.tokens) - FAILURES, 10)
    bucket.blocked_until = now + min(LONGEST_REST, FIRST_REST * 2**doublings)
    return bucket.tokens == FAILURES


def rest_until(session: Session, source_id: int) -> datetime | None:
    """Give the end of the rest, None when the way is open."""
    bucket = session.get(RateBucket, _key(source_id))
    return bucket.blocked_until if bucket else None


def _key(source_id: int) -> str:
    return f"{BREAKER_PREFIX}{source_id}"


def _bucket(session: Session, source_id: int) -> RateBucket | None:
    return session.get(RateBucket, _key(source_id), with_for_update=True, populate_existing=True)
