"""Who is writing: taken on the first keystroke, renewed while typing, gone after two idle minutes."""

import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox import audit
from inbox.errors import ConflictError, LeaseHeldError
from inbox.store.queries.conversation_view import get_conversation
from inbox.store.queries.replies import lease_of
from inbox.store.tables import ReplyLease

IDLE = timedelta(minutes=2)


def acquire_lease(session: Session, conversation_id: int, *, user_id: int, now: datetime) -> ReplyLease:
    """Take the lease, or renew one's own; LeaseHeldError names who is writing."""
    get_conversation(session, conversation_id, for_update=True)
    held = lease_of(session, conversation_id)
    if held is not None and held[0].user_id != user_id and held[0].expires_at > now:
        raise LeaseHeldError(user_id=held[0].user_id, name=held[1], expires_at=held[0].expires_at)
    return _take(session, conversation_id, held[0] if held else None, user_id=user_id, now=now)


def renew_lease(session: Session, conversation_id: int, *, user_id: int, token: str, now: datetime) -> ReplyLease:
    """Go on writing; ConflictError when the lease was taken over or ran out into other hands."""
    held = lease_of(session, conversation_id)
    if held is None:
        return acquire_lease(session, conversation_id, user_id=user_id, now=now)
    lease, name = held
    if lease.user_id != user_id and lease.expires_at > now:
        raise LeaseHeldError(user_id=lease.user_id, name=name, expires_at=lease.expires_at)
    if lease.user_id == user_id and not secrets.compare_digest(lease.token, token):
        raise ConflictError("You are writing this answer in another window.")
    return _take(session, conversation_id, lease, user_id=user_id, now=now, token=token)


def release_lease(session: Session, conversation_id: int, *, user_id: int) -> None:
    """Stop writing; somebody else's lease is left alone."""
    session.execute(
        sa.delete(ReplyLease).where(ReplyLease.conversation_id == conversation_id, ReplyLease.user_id == user_id)
    )


def take_over(session: Session, conversation_id: int, *, user_id: int, now: datetime) -> ReplyLease:
    """Take the lease from whoever has it; logged. The other keeps the words in the browser and as a draft."""
    conversation = get_conversation(session, conversation_id, for_update=True)
    held = lease_of(session, conversation_id)
    if held is not None and held[0].user_id != user_id and held[0].expires_at > now:
        audit.record(
            session,
            now=now,
            action="reply.taken_over",
            entity="conversation",
            entity_id=conversation.id,
            conversation_id=conversation.id,
            user_id=user_id,
            before={"user": held[0].user_id},
            after={"user": user_id},
        )
    return _take(session, conversation_id, held[0] if held else None, user_id=user_id, now=now)


def refuse_if_held(session: Session, conversation_id: int, *, user_id: int, now: datetime) -> None:
    """Raise LeaseHeldError when somebody else is writing just now."""
    held = lease_of(session, conversation_id)
    if held is not None and held[0].user_id != user_id and held[0].expires_at > now:
        raise LeaseHeldError(user_id=held[0].user_id, name=held[1], expires_at=held[0].expires_at)


def _take(
    session: Session,
    conversation_id: int,
    lease: ReplyLease | None,
    *,
    user_id: int,
    now: datetime,
    token: str | None = None,
) -> ReplyLease:
    if lease is None:
        lease = ReplyLease(conversation_id=conversation_id)
        session.add(lease)
    lease.token = token or secrets.token_urlsafe(16)
    lease.user_id = user_id
    lease.expires_at = now + IDLE
    session.flush()
    return lease
