"""What sending reads: replies whose turn it is, their attempts, and what stands in their way."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from inbox.store.tables import Attempt, Conversation, Identity, Post, RateBucket, Reply, ReplyLease, Source, User
from inbox.store.tables.reply import OUTGOING
from inbox.store.types import ReplyState

IN_FLIGHT = (ReplyState.QUEUED, ReplyState.SENDING)
UNFINISHED = tuple(ReplyState(name) for name in OUTGOING)
BREAKER_PREFIX = "publish.breaker:"


def lock_reply(session: Session, reply_id: int) -> Reply | None:
    """Give a reply as it stands, locked against other writers."""
    return session.get(Reply, reply_id, with_for_update=True, populate_existing=True)


def lock_reply_in_conversation(session: Session, reply_id: int) -> Reply | None:
    """Lock a reply after its conversation: the order in which queueing takes them, so that nobody waits in a ring."""
    conversation_id = session.scalar(sa.select(Reply.conversation_id).where(Reply.id == reply_id))
    if conversation_id is None:
        return None
    session.get(Conversation, conversation_id, with_for_update=True, populate_existing=True)
    return lock_reply(session, reply_id)


def due_replies(session: Session, now: datetime, limit: int) -> list[int]:
    """Give the replies whose turn it is, longest due first: one per conversation, none whose source is resting.

    A reply waits for an earlier one of its conversation that is still on its way, so that answers keep their order.
    """
    earlier = aliased(Reply)
    is_behind = sa.exists().where(
        earlier.conversation_id == Reply.conversation_id, earlier.id < Reply.id, earlier.state.in_(IN_FLIGHT)
    )
    is_resting = sa.exists().where(
        RateBucket.key == sa.literal(BREAKER_PREFIX) + sa.cast(Reply.source_id, sa.Text),
        RateBucket.blocked_until > now,
    )
    return list(
        session.scalars(
            sa.select(Reply.id)
            .where(Reply.state.in_(IN_FLIGHT), Reply.not_before <= now, ~is_behind, ~is_resting)
            .order_by(Reply.not_before, Reply.id)
            .limit(limit)
        )
    )


def next_due_at(session: Session) -> datetime | None:
    """Give when the next reply may be due, None without any on its way."""
    return session.scalar(sa.select(sa.func.min(Reply.not_before)).where(Reply.state.in_(IN_FLIGHT)))


def sources_of_replies(session: Session, reply_ids: Sequence[int]) -> dict[int, int | None]:
    """Give the source each of these replies goes out through."""
    rows = session.execute(sa.select(Reply.id, Reply.source_id).where(Reply.id.in_(reply_ids)))
    return {row[0]: row[1] for row in rows}


def earlier_in_flight(session: Session, reply: Reply) -> int | None:
    """Give the earlier reply of the same conversation that must go first, None when the way is free."""
    return session.scalar(
        sa.select(Reply.id)
        .where(Reply.conversation_id == reply.conversation_id, Reply.id < reply.id, Reply.state.in_(IN_FLIGHT))
        .order_by(Reply.id)
        .limit(1)
    )


def list_attempts(session: Session, reply_id: int) -> list[Attempt]:
    """Give a reply's attempts in order."""
    return list(session.scalars(sa.select(Attempt).where(Attempt.reply_id == reply_id).order_by(Attempt.number)))


def outgoing_reply(session: Session, brand_id: int, post_id: int) -> Reply | None:
    """Give the answer to a message that is on its way or of unknown fate."""
    return session.scalar(
        sa.select(Reply).where(Reply.brand_id == brand_id, Reply.post_id == post_id, Reply.state.in_(UNFINISHED))
    )


def reply_by_key(session: Session, brand_id: int, idempotency_key: str) -> Reply | None:
    """Give the reply a form's key has already made."""
    return session.scalar(sa.select(Reply).where(Reply.brand_id == brand_id, Reply.idempotency_key == idempotency_key))


def sent_with_same_words(session: Session, post_id: int, text: str) -> Reply | None:
    """Give an answer to this message with these very words that already stands."""
    return session.scalar(
        sa.select(Reply).where(Reply.post_id == post_id, Reply.state == ReplyState.SENT, Reply.text == text).limit(1)
    )


def failed_replies(session: Session, post_id: int, except_id: int | None = None) -> list[Reply]:
    """Give the answers to a message that failed."""
    statement = sa.select(Reply).where(
        Reply.post_id == post_id, Reply.state.in_((ReplyState.FAILED, ReplyState.DRY_RUN))
    )
    if except_id is not None:
        statement = statement.where(Reply.id != except_id)
    return list(session.scalars(statement))


def is_known_receipt(session: Session, reply: Reply, external_id: str) -> bool:
    """Whether another of our replies has already proved itself by this id at the network."""
    return (
        session.scalar(
            sa.select(Reply.id)
            .where(
                Reply.brand_id == reply.brand_id,
                Reply.source_id == reply.source_id,
                Reply.external_id == external_id,
                Reply.id != reply.id,
            )
            .limit(1)
        )
        is not None
    )


def publishing_source(session: Session, post: Post) -> Source | None:
    """Give the source an answer goes out through: the one that heard the message, else one of its network."""
    return session.scalar(
        sa.select(Source)
        .where(
            Source.brand_id == post.brand_id,
            Source.network == post.network,
            Source.instance == post.instance,
            Source.can_publish.is_(True),
        )
        .order_by(sa.case((Source.id == (post.source_id or 0), 0), else_=1), Source.id)
        .limit(1)
    )


def lease_of(session: Session, conversation_id: int) -> tuple[ReplyLease, str] | None:
    """Give the lease on a conversation with its holder's name, expired or not, locked."""
    row = session.execute(
        sa.select(ReplyLease, User.name)
        .join(User, User.id == ReplyLease.user_id)
        .where(ReplyLease.conversation_id == conversation_id)
        .with_for_update(of=ReplyLease)
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def unfinished_replies(session: Session) -> list[int]:
    """Give all replies that are on their way or of unknown fate, oldest first."""
    return list(session.scalars(sa.select(Reply.id).where(Reply.state.in_(UNFINISHED)).order_by(Reply.id)))


def unknown_replies(session: Session, now: datetime, limit: int) -> list[int]:
    """Give replies of unknown fate whose next look has come."""
    return list(
        session.scalars(
            sa.select(Reply.id)
            .where(Reply.state == ReplyState.UNKNOWN, Reply.not_before <= now)
            .order_by(Reply.not_before, Reply.id)
            .limit(limit)
        )
    )


def list_replies(
    session: Session, *, states: Sequence[ReplyState] = (), limit: int = 100
) -> list[tuple[Reply, Conversation, str | None]]:
    """Give replies with their conversation and author's name, newest first, in these states or all."""
    statement = (
        sa.select(Reply, Conversation, User.name)
        .join(Conversation, Conversation.id == Reply.conversation_id)
        .outerjoin(User, User.id == Reply.user_id)
        .order_by(Reply.id.desc())
        .limit(limit)
    )
    if states:
        statement = statement.where(Reply.state.in_(states))
    return [(row[0], row[1], row[2]) for row in session.execute(statement)]


def handle_of(session: Session, identity_id: int) -> str:
    """Give an author's handle."""
    return session.scalar(sa.select(Identity.handle).where(Identity.id == identity_id)) or ""


def conversation_of(session: Session, reply_id: int) -> int | None:
    """Give the conversation a reply belongs to."""
    return session.scalar(sa.select(Reply.conversation_id).where(Reply.id == reply_id))
