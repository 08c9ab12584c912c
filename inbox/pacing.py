"""The pace of an account at its network: a token bucket in the database, shared by all processes and sources.

Reading and writing are counted apart, so that a long backlog never holds up an answer.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from connectors.base import Pace
from connectors.budget import TokenBucket
from connectors.errors import NotAskedError
from inbox.store.engine import Store
from inbox.store.statements import insert_ignoring
from inbox.store.tables import RateBucket

LONGEST_BLOCK = timedelta(days=1)


class Lane(StrEnum):
    """What is counted together."""

    READ = "read"
    WRITE = "write"


def take_turn(store: Store, account: str, lane: Lane, pace: Pace | None, now: datetime) -> None:
    """Count a call about to be made; NotAskedError when the account has to wait. Commits before the call."""
    key = _key(account, lane)
    if pace is None:
        with store.read() as session:
            _refuse_while_blocked(session.get(RateBucket, key), now)
        return
    with store.write() as session:
        row = _locked(session, key, pace, now)
        _refuse_while_blocked(row, now)
        bucket, wait = _bucket_of(row, pace).take(1, now)
        row.tokens, row.refilled_at = bucket.tokens, bucket.updated_at
    if wait:
        raise NotAskedError(
            f"As many calls were made as the network allows; going on in {wait.total_seconds():.0f} s.",
            retry_after=wait,
        )


def charge(store: Store, account: str, lane: Lane, pace: Pace | None, count: int, now: datetime) -> None:
    """Count further calls that one step turned out to take."""
    if pace is None or count <= 0:
        return
    with store.write() as session:
        row = _locked(session, _key(account, lane), pace, now)
        bucket = _bucket_of(row, pace).refill(now).charge(count)
        row.tokens, row.refilled_at = bucket.tokens, bucket.updated_at


def block(store: Store, account: str, lane: Lane, pace: Pace | None, wait: timedelta, now: datetime) -> None:
    """Keep all sources of the account from asking until the network's wait is over."""
    with store.write() as session:
        row = _locked(session, _key(account, lane), pace, now)
        until = now + min(wait, LONGEST_BLOCK)
        row.blocked_until = max(row.blocked_until or until, until)


def _key(account: str, lane: Lane) -> str:
    return f"calls.{lane}:{account}"


def _locked(session: Session, key: str, pace: Pace | None, now: datetime) -> RateBucket:
    full = float(pace.calls) if pace else 0.0
    insert_ignoring(session, RateBucket, [{"key": key, "tokens": full, "refilled_at": now}], ("key",))
    return session.get_one(RateBucket, key, with_for_update=True, populate_existing=True)


def _bucket_of(row: RateBucket, pace: Pace) -> TokenBucket:
    return TokenBucket(pace.calls, timedelta(seconds=pace.seconds), row.tokens, row.refilled_at)


def _refuse_while_blocked(row: RateBucket | None, now: datetime) -> None:
    if row is not None and row.blocked_until is not None and row.blocked_until > now:
        wait = row.blocked_until - now
        raise NotAskedError(
            f"The network asked this account to wait; going on in {wait.total_seconds():.0f} s.", retry_after=wait
        )
