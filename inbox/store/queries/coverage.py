"""Reads what was covered of a source's time, from its polls."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import PollRun


@dataclass(frozen=True, slots=True)
class CoveredSpan:
    """A stretch of time a poll vouches for; `truncated` says what its network withheld of it."""

    start: datetime
    end: datetime
    truncated: str | None


@dataclass(frozen=True, slots=True)
class FailedPoll:
    """A poll that brought nothing to vouch for."""

    at: datetime
    kind: str


def list_covered(session: Session, source_id: int, since: datetime, until: datetime) -> Sequence[CoveredSpan]:
    """Give the spans that touch this time, by their start."""
    query = (
        sa.select(PollRun.covers_from, PollRun.covers_to, PollRun.truncated)
        .where(
            PollRun.source_id == source_id,
            PollRun.error_kind.is_(None),
            PollRun.covers_to >= since,
            PollRun.covers_from <= until,
        )
        .order_by(PollRun.covers_from, PollRun.id)
    )
    return [
        CoveredSpan(start, end, truncated)
        for start, end, truncated in session.execute(query)
        if start is not None and end is not None
    ]


def list_failed(session: Session, source_id: int, since: datetime, until: datetime) -> Sequence[FailedPoll]:
    """Give the polls that failed in this time, oldest first."""
    query = (
        sa.select(PollRun.started_at, PollRun.error_kind)
        .where(
            PollRun.source_id == source_id,
            PollRun.error_kind.is_not(None),
            PollRun.started_at >= since,
            PollRun.started_at <= until,
        )
        .order_by(PollRun.started_at, PollRun.id)
    )
    return [FailedPoll(at, kind) for at, kind in session.execute(query) if kind is not None]
