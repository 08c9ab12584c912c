"""The first-response clock of a conversation: started, paused, resumed, stopped, missed.

Every step leaves an event; the unique key (conversation, kind, due time) makes each of them happen once, so
that a second poll or a second worker never alarms twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import structlog
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from inbox.errors import InvalidError
from inbox.store.queries import routing
from inbox.store.statements import insert_ignoring
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


class Clocked(Protocol):
    """What the clock reads and sets of a conversation."""

    is_crisis: bool
    first_inbound_at: datetime | None
    sla_state: SlaState
    sla_started_at: datetime | None
    sla_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a clock, to be noted with `note_event` or `note_events`."""

    kind: str
    due: datetime


def start_clock(conversation: Clocked, *, minutes: int, hours: BusinessHours | None) -> Step | None:
    """Start the clock at the first inbound message, once in a conversation's life; None if it did not."""
    started = conversation.first_inbound_at
    if conversation.sla_state is not SlaState.NONE or started is None:
        return None
    due = due_at(started, minutes, hours)
    conversation.sla_state = SlaState.ACTIVE
    conversation.sla_started_at = started
    conversation.sla_due_at = due
    return Step("started", due)


def stop_clock(session: Session, conversation: Conversation, *, answered_at: datetime, now: datetime) -> None:
    """Stop a clock because a public answer stands since `answered_at`: hit, or missed if that was too late."""
    step = stop_standing(conversation, answered_at=answered_at)
    if step is not None:
        note_event(session, conversation, step.kind, due=step.due, now=now)


def stop_standing(conversation: Clocked, *, answered_at: datetime) -> Step | None:
    """Stop a clock without noting it; gives the step to note, if any."""
    if conversation.sla_state not in {SlaState.ACTIVE, SlaState.PAUSED, SlaState.MISSED}:
        return None
    due = conversation.sla_due_at
    if due is None:
        if conversation.sla_state is SlaState.PAUSED:
            conversation.sla_state = SlaState.HIT
        return None
    is_late = answered_at > due
    conversation.sla_state = SlaState.MISSED if is_late else SlaState.HIT
    conversation.sla_due_at = None
    return Step("missed" if is_late else "hit", due)


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


def note_events(session: Session, steps: Sequence[tuple[int, Step]], now: datetime) -> None:
    """Record steps of many clocks, by conversation id, in their order; those recorded before stay as they are."""
    rows = [{"conversation_id": one, "kind": step.kind, "due_at": step.due, "at": now} for one, step in steps]
    insert_ignoring(session, SlaEvent, rows, ("conversation_id", "kind", "due_at"))


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
    conversation: Clocked, *, minutes: int, hours: BusinessHours | None, answered_at: datetime | None, is_history: bool
) -> list[Step]:
    """Bring the clock in line with the thread: an answer of ours after the first inbound stops it.

    `answered_at` is the first such answer, wherever it was written. `is_history` means nothing inbound is new:
    then no clock starts, and none ever alarms for the past. The steps given are for `note_events`.
    """
    steps = [
        None if is_history else start_clock(conversation, minutes=minutes, hours=hours),
        None if answered_at is None else stop_standing(conversation, answered_at=answered_at),
    ]
    return [step for step in steps if step is not None]
