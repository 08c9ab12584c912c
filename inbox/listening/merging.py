"""Joining conversations that turned out to be one thread: the older one stays and takes everything over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox import audit
from inbox.store.queries.threads import MERGED
from inbox.store.statements import insert_ignoring, is_one_of, table_of
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


@dataclass(frozen=True, slots=True)
class Merge:
    """Conversations that are one thread: who stays, who is taken in, and the thread's key from now on."""

    winner_id: int
    loser_ids: tuple[int, ...]
    thread_key: str


def merge_conversations(session: Session, merges: Sequence[Merge], now: datetime) -> None:
    """Move posts, notes, replies, labels, assignments and clocks to the winners; the losers are no more.

    No conversation may be in two merges. Audit events keep the ids they were written with, since their chain may
    not change: the event recorded here names the losers, and inbox.store.queries.threads.list_merged_ids finds
    them again.
    """
    winner_of = {loser_id: merge.winner_id for merge in merges for loser_id in merge.loser_ids}
    if not winner_of:
        return
    session.flush()
    loaded = {
        conversation.id: conversation
        for conversation in session.scalars(
            sa.select(Conversation)
            .where(is_one_of(session, Conversation.id, [*winner_of, *(merge.winner_id for merge in merges)]))
            .order_by(Conversation.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    }
    for model in (Post, Note, Assignment, Reply):
        _move_rows(session, table_of(model), winner_of)
    _move_labels(session, winner_of)
    _move_clock_events(session, winner_of)
    _move_leases(session, winner_of)
    for loser_id, winner_id in winner_of.items():
        _take_over(loaded[winner_id], loaded[loser_id])
    # Gone before their keys are given to the winners.
    session.execute(
        sa.delete(Conversation)
        .where(is_one_of(session, Conversation.id, list(winner_of)))
        .execution_options(synchronize_session=False)
    )
    for loser_id in winner_of:
        session.expunge(loaded[loser_id])
    for merge in merges:
        winner = loaded[merge.winner_id]
        winner.version = max(winner.version, *(loaded[one].version for one in merge.loser_ids)) + 1
        winner.thread_key = merge.thread_key
        audit.record(
            session,
            now=now,
            action=MERGED,
            entity="conversation",
            entity_id=winner.id,
            conversation_id=winner.id,
            before={"conversation_ids": sorted(merge.loser_ids)},
            after={"version": winner.version},
        )
    session.flush()


def _move_rows(session: Session, table: sa.Table, winner_of: Mapping[int, int]) -> None:
    session.connection().execute(
        sa.update(table)
        .where(table.c.conversation_id == sa.bindparam("loser"))
        .values(conversation_id=sa.bindparam("winner")),
        [{"loser": loser_id, "winner": winner_id} for loser_id, winner_id in winner_of.items()],
    )


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
            "intent", "intent_confidence", "intents", "emotion", "urgency", "is_toxic", "last_inbound_at",
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


def _move_labels(session: Session, winner_of: Mapping[int, int]) -> None:
    labels = session.execute(
        sa.select(ConversationLabel.conversation_id, ConversationLabel.label_id).where(
            is_one_of(session, ConversationLabel.conversation_id, list(winner_of))
        )
    )
    rows = [
        {"conversation_id": winner_of[conversation_id], "label_id": label_id} for conversation_id, label_id in labels
    ]
    insert_ignoring(session, ConversationLabel, rows, ("conversation_id", "label_id"))


def _move_clock_events(session: Session, winner_of: Mapping[int, int]) -> None:
    """Move the events the winner has not; its unique key allows one of a kind per due time."""
    involved = [*winner_of, *winner_of.values()]
    events = session.execute(
        sa.select(SlaEvent.id, SlaEvent.conversation_id, SlaEvent.kind, SlaEvent.due_at)
        .where(is_one_of(session, SlaEvent.conversation_id, involved))
        .order_by(SlaEvent.id)
    ).all()
    seen = {(event[1], event[2], event[3]) for event in events if event[1] not in winner_of}
    moved: list[dict[str, int]] = []
    for event_id, conversation_id, kind, due_at in events:
        winner_id = winner_of.get(conversation_id)
        if winner_id is not None and (winner_id, kind, due_at) not in seen:
            seen.add((winner_id, kind, due_at))
            moved.append({"the_id": event_id, "winner": winner_id})
    if moved:
        table = table_of(SlaEvent)
        statement = sa.update(table).where(table.c.id == sa.bindparam("the_id"))
        session.connection().execute(statement.values(conversation_id=sa.bindparam("winner")), moved)


def _move_leases(session: Session, winner_of: Mapping[int, int]) -> None:
    """Let whoever is writing go on, unless somebody writes in the winner too."""
    leases = session.execute(
        sa.select(ReplyLease.conversation_id, ReplyLease.user_id, ReplyLease.token, ReplyLease.expires_at)
        .where(is_one_of(session, ReplyLease.conversation_id, list(winner_of)))
        .order_by(ReplyLease.expires_at.desc())
    ).all()
    for conversation_id, user_id, token, expires_at in leases:
        row = {
            "conversation_id": winner_of[conversation_id],
            "user_id": user_id,
            "token": token,
            "expires_at": expires_at,
        }
        insert_ignoring(session, ReplyLease, [row], ("conversation_id",))
