"""Joining conversations that turned out to be one thread: the older one stays and takes everything over."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox import audit
from inbox.store.queries.threads import MERGED
from inbox.store.statements import insert_ignoring
from inbox.store.tables import (
    Assignment,
    Conversation,
    ConversationLabel,
    Note,
    Post,
    Reply,
    ReplyLease,
    SlaEvent,
)
from inbox.store.types import ConversationState, SlaState

# The state that asks most of people stays.
_URGENCY = (
    ConversationState.OPEN,
    ConversationState.SNOOZED,
    ConversationState.PENDING,
    ConversationState.RESOLVED,
)


def merge_conversations(
    session: Session, winner_id: int, loser_ids: Sequence[int], *, thread_key: str, now: datetime
) -> None:
    """Move posts, notes, replies, labels, assignments and clocks to the winner; the losers are no more.

    Audit events keep the ids they were written with, since their chain may not change: the event recorded here
    names the losers, and inbox.store.queries.threads.list_merged_ids finds them again.
    """
    session.flush()
    winner = session.get_one(Conversation, winner_id, with_for_update=True, populate_existing=True)
    losers = [
        session.get_one(Conversation, loser_id, with_for_update=True, populate_existing=True)
        for loser_id in sorted(loser_ids)
    ]
    for table in (Post, Note, Assignment, Reply):
        session.execute(
            sa.update(table)
            .where(table.conversation_id.in_(loser_ids))
            .values(conversation_id=winner_id)
            .execution_options(synchronize_session=False)
        )
    _move_labels(session, winner_id, loser_ids)
    _move_clock_events(session, winner_id, loser_ids)
    _move_lease(session, winner_id, loser_ids)
    for loser in losers:
        _take_over(winner, loser)
    winner.version = max(winner.version, *(loser.version for loser in losers)) + 1
    for loser in losers:
        session.delete(loser)
    session.flush()  # the key must be free before the winner takes it
    winner.thread_key = thread_key
    audit.record(
        session,
        now=now,
        action=MERGED,
        entity="conversation",
        entity_id=winner_id,
        conversation_id=winner_id,
        before={"conversation_ids": sorted(loser_ids)},
        after={"version": winner.version},
    )
    session.flush()


def _take_over(winner: Conversation, loser: Conversation) -> None:
    if _URGENCY.index(loser.state) < _URGENCY.index(winner.state):
        winner.state = loser.state
    wakes = [one for one in (winner.snoozed_until, loser.snoozed_until) if one is not None]
    winner.snoozed_until = min(wakes) if wakes and winner.state is ConversationState.SNOOZED else None
    if winner.assignee_id is None:
        winner.assignee_id, winner.team_id = loser.assignee_id, winner.team_id or loser.team_id
    winner.is_unread = winner.is_unread or loser.is_unread
    winner.is_crisis = winner.is_crisis or loser.is_crisis
    winner.is_muted = winner.is_muted and loser.is_muted
    winner.is_spam = winner.is_spam and loser.is_spam
    if loser.priority > winner.priority:
        winner.priority, winner.priority_reasons = loser.priority, loser.priority_reasons
    _take_over_clock(winner, loser)
    is_newer = loser.last_inbound_at is not None and (
        winner.last_inbound_at is None or loser.last_inbound_at > winner.last_inbound_at
    )
    if is_newer:
        for name in (
            "author_id", "preview", "language", "sentiment", "sentiment_confidence", "sentiment_unsure",
            "intent", "intent_confidence", "intents", "last_inbound_at",
        ):  # fmt: skip
            setattr(winner, name, getattr(loser, name))


def _take_over_clock(winner: Conversation, loser: Conversation) -> None:
    """Keep the clock that started first."""
    if loser.sla_state is SlaState.NONE or loser.sla_started_at is None:
        return
    if winner.sla_started_at is None or loser.sla_started_at < winner.sla_started_at:
        winner.sla_state = loser.sla_state
        winner.sla_started_at = loser.sla_started_at
        winner.sla_due_at = loser.sla_due_at


def _move_labels(session: Session, winner_id: int, loser_ids: Sequence[int]) -> None:
    labels = session.scalars(
        sa.select(ConversationLabel.label_id).distinct().where(ConversationLabel.conversation_id.in_(loser_ids))
    ).all()
    rows = [{"conversation_id": winner_id, "label_id": label_id} for label_id in labels]
    insert_ignoring(session, ConversationLabel, rows, ("conversation_id", "label_id"))


def _move_clock_events(session: Session, winner_id: int, loser_ids: Sequence[int]) -> None:
    """Move the events the winner has not; its unique key allows one of a kind per due time."""
    events = session.execute(
        sa.select(SlaEvent.id, SlaEvent.conversation_id, SlaEvent.kind, SlaEvent.due_at)
        .where(SlaEvent.conversation_id.in_([winner_id, *loser_ids]))
        .order_by(SlaEvent.conversation_id != winner_id, SlaEvent.id)
    ).all()
    seen: set[tuple[str, datetime | None]] = set()
    moved: list[int] = []
    for event_id, conversation_id, kind, due_at in events:
        if (kind, due_at) in seen:
            continue
        seen.add((kind, due_at))
        if conversation_id != winner_id:
            moved.append(event_id)
    if moved:
        session.execute(
            sa.update(SlaEvent)
            .where(SlaEvent.id.in_(moved))
            .values(conversation_id=winner_id)
            .execution_options(synchronize_session=False)
        )


def _move_lease(session: Session, winner_id: int, loser_ids: Sequence[int]) -> None:
    """Let whoever is writing go on, unless somebody writes in the winner too."""
    leases = session.scalars(
        sa.select(ReplyLease)
        .where(ReplyLease.conversation_id.in_([winner_id, *loser_ids]))
        .order_by(ReplyLease.conversation_id != winner_id, ReplyLease.expires_at.desc())
    ).all()
    if leases and leases[0].conversation_id != winner_id:
        kept = leases[0]
        session.add(
            ReplyLease(conversation_id=winner_id, user_id=kept.user_id, token=kept.token, expires_at=kept.expires_at)
        )
