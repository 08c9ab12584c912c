"""What people do with a conversation: take it, put it off, settle it, mark it. Every step is audited.

All functions lock the conversation's row, move its `version` (except reading it) and leave the commit to the
caller. `expected_version` refuses the step when somebody else was faster (StaleVersionError).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox import audit
from inbox.errors import ConflictError, InvalidError, NotFoundError
from inbox.store.queries import routing, users
from inbox.store.queries.conversation_view import get_conversation
from inbox.store.tables import Brand, Conversation, ConversationLabel, Label, Note
from inbox.store.types import ConversationState, Role
from inbox.triage import clocks
from inbox.triage.assignment import hand_over
from inbox.triage.staleness import refuse_stale

MAX_NOTE = 10_000
MAX_LABEL = 60
MAX_SNOOZE = timedelta(days=366)


def assign(
    session: Session,
    conversation_id: int,
    *,
    user_id: int | None,
    by_user_id: int,
    now: datetime,
    expected_version: int | None = None,
) -> Conversation:
    """Give the conversation to a person, or to nobody."""
    conversation = _lock(session, conversation_id, expected_version, by_user_id)
    if user_id is not None:
        user = users.get_user(session, user_id)
        if user is None or not user.is_active or user.role is Role.READ_ONLY:
            raise InvalidError("This person cannot take conversations.", field="user_id")
    if conversation.assignee_id != user_id:
        hand_over(session, conversation, user_id=user_id, by_user_id=by_user_id, reason="by_hand", now=now)
    return conversation


def claim(
    session: Session, conversation_id: int, *, user_id: int, expected_version: int, now: datetime
) -> Conversation:
    """Take a conversation nobody has; of many who try at once one wins, the others get a ConflictError."""
    conversation = _lock(session, conversation_id, None, user_id)
    if conversation.assignee_id == user_id:
        return conversation
    if conversation.assignee_id is not None:
        raise ConflictError("Somebody else has just taken this conversation.")
    refuse_stale(session, conversation, expected=expected_version, user_id=user_id)
    hand_over(session, conversation, user_id=user_id, by_user_id=user_id, reason="claimed", now=now)
    return conversation


def resolve(
    session: Session,
    conversation_id: int,
    *,
    by_user_id: int | None,
    now: datetime,
    expected_version: int | None = None,
) -> Conversation:
    """Settle the conversation; a clock still running is held until it is opened again."""
    conversation = _lock(session, conversation_id, expected_version, by_user_id)
    if conversation.state is not ConversationState.RESOLVED:
        clocks.pause_clock(session, conversation, now=now)
        _move(session, conversation, ConversationState.RESOLVED, "resolved", by_user_id=by_user_id, now=now)
    return conversation


def reopen(session: Session, conversation_id: int, *, by_user_id: int | None, now: datetime) -> Conversation:
    """Put the conversation back into the queue."""
    conversation = _lock(session, conversation_id, None, by_user_id)
    open_again(session, conversation, by_user_id=by_user_id, now=now)
    return conversation


def open_again(
    session: Session, conversation: Conversation, *, by_user_id: int | None, now: datetime, cause: str = "by_hand"
) -> bool:
    """Open a locked conversation whatever state it is in, its clock running again; False if it was open."""
    if conversation.state is ConversationState.OPEN:
        return False
    brand = session.get_one(Brand, conversation.brand_id)
    clocks.resume_clock(session, conversation, brand, now=now)
    _move(session, conversation, ConversationState.OPEN, "reopened", by_user_id=by_user_id, now=now, cause=cause)
    return True


def set_pending(session: Session, conversation_id: int, *, by_user_id: int, now: datetime) -> Conversation:
    """Wait for the author; the clock stands still meanwhile."""
    conversation = _lock(session, conversation_id, None, by_user_id)
    if conversation.state is not ConversationState.PENDING:
        clocks.pause_clock(session, conversation, now=now)
        _move(session, conversation, ConversationState.PENDING, "pending", by_user_id=by_user_id, now=now)
    return conversation


def snooze(session: Session, conversation_id: int, *, until: datetime, by_user_id: int, now: datetime) -> Conversation:
    """Put the conversation out of sight until a moment, or until its author writes again. The clock runs on."""
    if until.tzinfo is None or not now < until <= now + MAX_SNOOZE:
        raise InvalidError("Choose a moment in the future, within a year.", field="until")
    conversation = _lock(session, conversation_id, None, by_user_id)
    brand = session.get_one(Brand, conversation.brand_id)
    clocks.resume_clock(session, conversation, brand, now=now)
    _move(
        session, conversation, ConversationState.SNOOZED, "snoozed", by_user_id=by_user_id, now=now,
        until=until.isoformat(),
    )  # fmt: skip
    conversation.snoozed_until = until
    return conversation


def wake_snoozed(session: Session, now: datetime, *, limit: int = 500) -> list[int]:
    """Open the snoozed conversations whose time has come; gives their ids."""
    woken = routing.sleepers(session, now=now, limit=limit)
    for conversation in woken:
        open_again(session, conversation, by_user_id=None, now=now, cause="snooze_ended")
        conversation.is_unread = True
    return [conversation.id for conversation in woken]


def add_label(session: Session, conversation_id: int, *, label: int | str, by_user_id: int, now: datetime) -> Label:
    """Put a label on, by its id or its name; a name not yet in use is created."""
    conversation = _lock(session, conversation_id, None, by_user_id)
    found = _find_or_make_label(session, conversation.brand_id, label)
    if session.get(ConversationLabel, (conversation.id, found.id)) is None:
        session.add(ConversationLabel(conversation_id=conversation.id, label_id=found.id))
        _note_step(session, conversation, "labelled", by_user_id=by_user_id, now=now, after={"label": found.id})
    return found


def remove_label(session: Session, conversation_id: int, *, label_id: int, by_user_id: int, now: datetime) -> None:
    """Take a label off."""
    conversation = _lock(session, conversation_id, None, by_user_id)
    row = session.get(ConversationLabel, (conversation.id, label_id))
    if row is not None:
        session.delete(row)
        _note_step(session, conversation, "unlabelled", by_user_id=by_user_id, now=now, before={"label": label_id})


def add_note(session: Session, conversation_id: int, *, text: str, by_user_id: int, now: datetime) -> Note:
    """Write an internal note."""
    words = _clean(text)
    if not words or len(words) > MAX_NOTE:
        raise InvalidError("A note needs between 1 and %(most)s characters.", field="text", values={"most": MAX_NOTE})
    conversation = _lock(session, conversation_id, None, by_user_id)
    note = Note(conversation_id=conversation.id, user_id=by_user_id, text=words, created_at=now)
    session.add(note)
    session.flush()
    _note_step(session, conversation, "noted", by_user_id=by_user_id, now=now, after={"note": note.id})
    return note


def set_spam(session: Session, conversation_id: int, *, is_spam: bool, by_user_id: int, now: datetime) -> Conversation:
    """Mark as spam, which settles the conversation, or take the mark away, which opens it."""
    conversation = _lock(session, conversation_id, None, by_user_id)
    if conversation.is_spam is not is_spam:
        conversation.is_spam = is_spam
        if is_spam:
            clocks.pause_clock(session, conversation, now=now)
            conversation.state = ConversationState.RESOLVED
            _note_step(session, conversation, "marked_spam", by_user_id=by_user_id, now=now)
        else:
            open_again(session, conversation, by_user_id=by_user_id, now=now, cause="not_spam")
    return conversation


def mark_read(session: Session, conversation_id: int) -> None:
    """Note that somebody has looked; changes nothing a writer must know."""
    session.execute(
        sa.update(Conversation)
        .where(Conversation.id == conversation_id, Conversation.is_unread.is_(True))
        .values(is_unread=False)
    )


def mark_unread(session: Session, conversation_id: int) -> None:
    """Make it look new again."""
    session.execute(sa.update(Conversation).where(Conversation.id == conversation_id).values(is_unread=True))


def _lock(session: Session, conversation_id: int, expected_version: int | None, user_id: int | None) -> Conversation:
    conversation = get_conversation(session, conversation_id, for_update=True)
    if expected_version is not None:
        refuse_stale(session, conversation, expected=expected_version, user_id=user_id)
    return conversation


def _move(
    session: Session,
    conversation: Conversation,
    state: ConversationState,
    action: str,
    *,
    by_user_id: int | None,
    now: datetime,
    **details: str,
) -> None:
    before = conversation.state
    conversation.state = state
    conversation.snoozed_until = None
    _note_step(
        session, conversation, action, by_user_id=by_user_id, now=now,
        before={"state": before.value}, after={"state": state.value, **details},
    )  # fmt: skip


def _note_step(
    session: Session,
    conversation: Conversation,
    action: str,
    *,
    by_user_id: int | None,
    now: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    conversation.version += 1
    audit.record(
        session,
        now=now,
        action=f"conversation.{action}",
        entity="conversation",
        entity_id=conversation.id,
        conversation_id=conversation.id,
        user_id=by_user_id,
        before=before,
        after={**(after or {}), "version": conversation.version},
    )


def _find_or_make_label(session: Session, brand_id: int, label: int | str) -> Label:
    if isinstance(label, int):
        found = session.get(Label, label)
        if found is None or found.brand_id != brand_id:
            raise NotFoundError("This label does not exist.", log_message=f"no label {label}")
        return found
    name = " ".join(_clean(label).split())
    if not name or len(name) > MAX_LABEL:
        raise InvalidError(
            "A label needs between 1 and %(most)s characters.", field="label", values={"most": MAX_LABEL}
        )
    existing = routing.label_named(session, brand_id, name)
    if existing is not None:
        return existing
    # A hue by the name, so that the same word has the same colour everywhere.
    made = Label(brand_id=brand_id, name=name, hue=sum(name.casefold().encode()) * 47 % 360)
    session.add(made)
    session.flush()
    return made


def _clean(text: str) -> str:
    # What PostgreSQL and UTF-8 refuse: NUL and lone surrogates.
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()
