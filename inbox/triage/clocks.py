"""The first-response clock of a conversation: started, paused, resumed, stopped, missed.

Every step leaves an event; the unique key (conversation, kind, due time) makes each of them happen once, so
that a second poll or a second worker never alarms twice.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from inbox.errors import InvalidError
from inbox.store.queries import routing
from inbox.store.tables import Brand, Conversation, SlaEvent
from inbox.store.types import SlaState
from inbox.triage.sla import BusinessHours, business_minutes, due_at, parse_hours

log = structlog.get_logger(__name__)


def hours_of(brand: Brand, *, is_crisis: bool = False) -> BusinessHours | None:
    """Give a brand's hours; None (around the clock) in a crisis. Hours that cannot be read count as the default."""
    if is_crisis:
        return None
    try:
        return parse_hours(brand.business_hours, brand.holidays, brand.timezone)
    except InvalidError as error:
        log.warning("brand.hours_unreadable", brand=brand.id, reason=error.log_message)
        return parse_hours({}, [], "UTC")


def start_clock(session: Session, conversation: Conversation, brand: Brand, *, now: datetime) -> bool:
    """Start the clock at the first inbound message, once in a conversation's life; says whether it did."""
    started = conversation.first_inbound_at
    if conversation.sla_state is not SlaState.NONE or started is None:
        return False
    due = due_at(started, brand.first_response_minutes, hours_of(brand, is_crisis=conversation.is_crisis))
    conversation.sla_state = SlaState.ACTIVE
    conversation.sla_started_at = started
    conversation.sla_due_at = due
    note_event(session, conversation, "started", due=due, now=now)
    return True


def stop_clock(session: Session, conversation: Conversation, *, answered_at: datetime, now: datetime) -> bool:
    """Stop a clock because a public answer stands since `answered_at`: hit, or missed if that was too late."""
    if conversation.sla_state not in {SlaState.ACTIVE, SlaState.PAUSED, SlaState.MISSED}:
        return False
    due = conversation.sla_due_at
    if due is None:
        if conversation.sla_state is SlaState.PAUSED:
            conversation.sla_state = SlaState.HIT
            return True
        return False
    is_late = answered_at > due
    if is_late:
        note_event(session, conversation, "missed", due=due, now=now)
    else:
        note_event(session, conversation, "hit", due=due, now=now)
    conversation.sla_state = SlaState.MISSED if is_late else SlaState.HIT
    conversation.sla_due_at = None
    return True


def pause_clock(session: Session, conversation: Conversation, *, now: datetime) -> None:
    """Hold a running clock: the conversation waits for its author, or was resolved without an answer.

    A clock already missed stays missed and keeps its due time for when the conversation is opened again.
    """
    if conversation.sla_state is SlaState.ACTIVE and conversation.sla_due_at is not None:
        note_event(session, conversation, "paused", due=conversation.sla_due_at, now=now)
        conversation.sla_state = SlaState.PAUSED
        conversation.sla_due_at = None


def resume_clock(session: Session, conversation: Conversation, brand: Brand, *, now: datetime) -> None:
    """Let a held clock run again with the working time that was left."""
    if conversation.sla_state is not SlaState.PAUSED:
        return
    paused = routing.latest_sla_event(session, conversation.id, "paused")
    hours = hours_of(brand, is_crisis=conversation.is_crisis)
    left = 0.0
    if paused is not None and paused.due_at is not None:
        left = business_minutes(paused.at, paused.due_at, hours)
    due = due_at(now, left, hours)
    conversation.sla_state = SlaState.ACTIVE
    conversation.sla_due_at = due
    note_event(session, conversation, "resumed", due=due, now=now)


def note_event(session: Session, conversation: Conversation, kind: str, *, due: datetime, now: datetime) -> bool:
    """Record a step of the clock; False when this step at this due time was recorded before."""
    row: Mapping[str, Any] = {"conversation_id": conversation.id, "kind": kind, "due_at": due, "at": now}
    dialect = session.get_bind().dialect.name
    insert = sqlite.insert(SlaEvent) if dialect == "sqlite" else postgresql.insert(SlaEvent)
    statement = insert.values(row).on_conflict_do_nothing().returning(SlaEvent.id)
    return session.execute(statement).scalar_one_or_none() is not None


def mark_missed(session: Session, *, now: datetime, limit: int = 500) -> list[int]:
    """Mark the clocks that have run out; gives their conversations. One alarm per due time."""
    missed = []
    for conversation in routing.running_clocks(session, due_before=now, limit=limit):
        if conversation.sla_due_at is None:
            continue
        conversation.sla_state = SlaState.MISSED
        if note_event(session, conversation, "missed", due=conversation.sla_due_at, now=now):
            missed.append(conversation.id)
    return missed


def mark_warned(session: Session, *, now: datetime, due_before: datetime, limit: int = 500) -> list[int]:
    """Record a warning for clocks about to run out that had none; gives their conversations."""
    warned = []
    for conversation in routing.clocks_to_warn(session, now=now, due_before=due_before, limit=limit):
        due = conversation.sla_due_at
        if due is not None and note_event(session, conversation, "warning", due=due, now=now):
            warned.append(conversation.id)
    return warned


def stop_or_start(
    session: Session,
    conversation: Conversation,
    brand: Brand,
    *,
    answered_at: datetime | None,
    is_history: bool,
    now: datetime,
) -> None:
    """Bring the clock in line with the thread: an answer of ours after the first inbound stops it.

    `answered_at` is the first such answer, wherever it was written. `is_history` means nothing inbound is new:
    then no clock starts, and none ever alarms for the past.
    """
    if not is_history:
        start_clock(session, conversation, brand, now=now)
    if answered_at is not None:
        stop_clock(session, conversation, answered_at=answered_at, now=now)
