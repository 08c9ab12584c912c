"""Reads how an installation fares, for the doctor."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.queries.installation import PUBLISHING_PAUSED
from inbox.store.tables import PollRun, Reply, Source, SystemValue
from inbox.store.types import ReplyState, SourceState

_FINE = (SourceState.OK, SourceState.PAUSED)
_UNSETTLED = (ReplyState.QUEUED, ReplyState.SENDING, ReplyState.UNKNOWN, ReplyState.FAILED)


def sources_in_trouble(session: Session) -> tuple[int, list[tuple[str, str, str]]]:
    """Give how many sources there are, and (name, state, reason) of those that are neither well nor paused."""
    total = session.scalar(sa.select(sa.func.count()).select_from(Source)) or 0
    rows = session.execute(
        sa.select(Source.name, Source.state, Source.state_reason)
        .where(Source.state.not_in(_FINE))
        .order_by(Source.name)
    )
    return total, [(name, state.value, reason) for name, state, reason in rows]


def newest_poll(session: Session) -> tuple[datetime | None, int]:
    """Give when anything was last polled, and the longest interval of a source that is polled, in seconds."""
    newest = session.scalar(sa.select(PollRun.started_at).order_by(PollRun.started_at.desc()).limit(1))
    interval = session.scalar(sa.select(sa.func.max(Source.poll_seconds)).where(Source.state != SourceState.PAUSED))
    return newest, interval or 0


def pause_reason(session: Session) -> str | None:
    """Why publishing is paused; None when it is not."""
    value = session.get(SystemValue, PUBLISHING_PAUSED)
    return value.value if value is not None and value.value not in {"", "0", "false"} else None


def unfinished_counts(session: Session) -> dict[str, int]:
    """Count the answers that wait for something, by state."""
    rows = session.execute(
        sa.select(Reply.state, sa.func.count()).where(Reply.state.in_(_UNSETTLED)).group_by(Reply.state)
    )
    return {state.value: count for state, count in rows}


def database_now(session: Session) -> datetime:
    """Give the database's own clock."""
    moment = session.scalar(sa.select(sa.func.clock_timestamp(type_=sa.DateTime(timezone=True))))
    return moment.astimezone(UTC) if moment is not None else datetime.now(UTC)
