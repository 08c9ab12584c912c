"""Reads what the overview of a brand's reputation stands on, besides the cells: answers, polls, what was cut off."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import Conversation, PollRun, Source
from inbox.store.types import ConversationState

MAX_ANSWERS = 20_000


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """When a conversation began and when our first public answer came, if it did."""

    first_inbound_at: datetime
    first_reply_at: datetime | None
    is_open: bool


def list_first_answers(session: Session, brand_id: int, since: datetime, until: datetime) -> Sequence[FirstAnswer]:
    """Give the conversations that began in a period, spam left out, the latest 20,000."""
    query = (
        sa.select(Conversation.first_inbound_at, Conversation.first_reply_at, Conversation.state)
        .where(
            Conversation.brand_id == brand_id,
            Conversation.first_inbound_at >= since,
            Conversation.first_inbound_at < until,
            Conversation.is_spam.is_(False),
        )
        .order_by(Conversation.first_inbound_at.desc())
        .limit(MAX_ANSWERS)
    )
    return [
        FirstAnswer(first, reply, state is ConversationState.OPEN)
        for first, reply, state in session.execute(query)
        if first is not None
    ]


@dataclass(frozen=True, slots=True)
class OpenConversation:
    """An open conversation, as far as somebody sorting a pile looks at it."""

    id: int
    last_activity_at: datetime
    language: str
    preview: str
    reply_count: int


def list_open(session: Session, brand_id: int) -> list[OpenConversation]:
    """Give a brand's open conversations, the longest without news first."""
    query = (
        sa.select(
            Conversation.id,
            Conversation.last_activity_at,
            sa.func.coalesce(Conversation.language, ""),
            Conversation.preview,
            Conversation.reply_count,
        )
        .where(Conversation.brand_id == brand_id, Conversation.state == ConversationState.OPEN)
        .order_by(Conversation.last_activity_at, Conversation.id)
    )
    return [OpenConversation(row[0], row[1], row[2], row[3], row[4]) for row in session.execute(query)]


@dataclass(frozen=True, slots=True)
class PolledDay:
    """How a source's polls went on one UTC day."""

    source_id: int
    day: date
    successes: int
    failures: int
    truncated: int


def list_polled_days(session: Session, source_ids: Sequence[int], since: datetime) -> list[PolledDay]:
    """Count a few sources' polls by day; days without any poll are left out."""
    is_ok = sa.case((PollRun.error_kind.is_(None), 1), else_=0)
    day = sa.func.date(PollRun.started_at)
    query = (
        sa.select(PollRun.source_id, day, sa.func.sum(is_ok), sa.func.count(), sa.func.count(PollRun.truncated))
        .where(PollRun.source_id.in_(source_ids), PollRun.started_at >= since)
        .group_by(PollRun.source_id, day)
    )
    return [
        PolledDay(row[0], _as_date(row[1]), int(row[2]), int(row[3]) - int(row[2]), int(row[4]))
        for row in session.execute(query)
    ]


def list_truncations(session: Session, brand_id: int, since: datetime, limit: int = 5) -> list[tuple[str, str]]:
    """Give (source name, what the network withheld), the latest first, each once."""
    query = (
        sa.select(Source.name, PollRun.truncated)
        .join(Source, Source.id == PollRun.source_id)
        .where(PollRun.brand_id == brand_id, PollRun.started_at >= since, PollRun.truncated.is_not(None))
        .group_by(Source.name, PollRun.truncated)
        .order_by(sa.func.max(PollRun.started_at).desc())
        .limit(limit)
    )
    return [(str(row[0]), str(row[1])) for row in session.execute(query)]


def _as_date(value: date | str) -> date:
    return date.fromisoformat(value) if isinstance(value, str) else value
