"""What triage reads one by one: posts whose turn it is, running clocks, sleepers. Batches: queries/standings.py."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.queries.conversation_view import EventView
from inbox.store.statements import is_one_of
from inbox.store.tables import (
    Assignment,
    AuditEvent,
    Brand,
    Conversation,
    Identity,
    Label,
    Post,
    Reply,
    SlaEvent,
    User,
)
from inbox.store.types import ConversationState, PostState, SlaState


def due_for_routing(session: Session, limit: int) -> list[int]:
    """Give the ids of posts waiting to be routed, oldest first."""
    return list(
        session.scalars(sa.select(Post.id).where(Post.state == PostState.TAGGED).order_by(Post.id).limit(limit))
    )


def conversations_of(session: Session, conversation_ids: Sequence[int]) -> list[tuple[Conversation, Brand]]:
    """Give these conversations with their brands, as they stand in the database."""
    rows = session.execute(
        sa.select(Conversation, Brand)
        .join(Brand, Brand.id == Conversation.brand_id)
        .where(is_one_of(session, Conversation.id, conversation_ids))
        .order_by(Conversation.id),
        execution_options={"populate_existing": True},
    )
    return [(row[0], row[1]) for row in rows]


def latest_sla_event(session: Session, conversation_id: int, kind: str) -> SlaEvent | None:
    """Give the latest event of one kind of a conversation's clock."""
    return session.scalar(
        sa.select(SlaEvent)
        .where(SlaEvent.conversation_id == conversation_id, SlaEvent.kind == kind)
        .order_by(SlaEvent.at.desc(), SlaEvent.id.desc())
        .limit(1)
    )


def running_clocks(session: Session, *, due_before: datetime, limit: int) -> list[Conversation]:
    """Give conversations whose running clock was due by then, locked."""
    return list(
        session.scalars(
            sa.select(Conversation)
            .where(
                Conversation.state.in_((ConversationState.OPEN, ConversationState.SNOOZED)),
                Conversation.sla_due_at <= due_before,
                Conversation.sla_state == SlaState.ACTIVE,
            )
            .order_by(Conversation.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )


def clocks_to_warn(session: Session, *, now: datetime, due_before: datetime, limit: int) -> list[Conversation]:
    """Give open conversations due between now and then for which no warning was recorded."""
    warned = sa.exists().where(
        SlaEvent.conversation_id == Conversation.id,
        SlaEvent.kind == "warning",
        SlaEvent.due_at == Conversation.sla_due_at,
    )
    return list(
        session.scalars(
            sa.select(Conversation)
            .where(
                Conversation.state == ConversationState.OPEN,
                Conversation.sla_due_at > now,
                Conversation.sla_due_at <= due_before,
                Conversation.sla_state == SlaState.ACTIVE,
                ~warned,
            )
            .order_by(Conversation.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )


def sleepers(session: Session, *, now: datetime, limit: int) -> list[Conversation]:
    """Give snoozed conversations whose time has come, locked."""
    return list(
        session.scalars(
            sa.select(Conversation)
            .where(Conversation.state == ConversationState.SNOOZED, Conversation.snoozed_until <= now)
            .order_by(Conversation.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )


def waiting_for_somebody(session: Session, limit: int) -> list[Conversation]:
    """Give open conversations with a running or missed clock that nobody was ever given, most urgent first."""
    ever_given = sa.exists().where(Assignment.conversation_id == Conversation.id)
    return list(
        session.scalars(
            sa.select(Conversation)
            .where(
                Conversation.state == ConversationState.OPEN,
                Conversation.assignee_id.is_(None),
                Conversation.sla_state.in_((SlaState.ACTIVE, SlaState.MISSED)),
                Conversation.is_spam.is_(False),
                Conversation.is_muted.is_(False),
                ~ever_given,
            )
            .order_by(Conversation.sla_due_at, Conversation.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )


def label_named(session: Session, brand_id: int, name: str) -> Label | None:
    """Give a brand's label by its exact name."""
    return session.scalar(sa.select(Label).where(Label.brand_id == brand_id, Label.name == name))


def latest_events(session: Session, conversation_id: int, *, limit: int) -> list[EventView]:
    """Give the latest audited steps of a conversation, newest first."""
    rows = session.execute(
        sa.select(AuditEvent, User.name)
        .outerjoin(User, User.id == AuditEvent.user_id)
        .where(AuditEvent.conversation_id == conversation_id)
        .order_by(AuditEvent.id.desc())
        .limit(limit)
    )
    return [EventView(event, name) for event, name in rows]


def latest_posts(session: Session, conversation_id: int, *, limit: int) -> list[tuple[Post, Identity]]:
    """Give the posts of a conversation that were stored last, newest first."""
    rows = session.execute(
        sa.select(Post, Identity)
        .join(Identity, Identity.id == Post.author_id)
        .where(Post.conversation_id == conversation_id)
        .order_by(Post.fetched_at.desc(), Post.id.desc())
        .limit(limit)
    )
    return [(row[0], row[1]) for row in rows]


def reply_text(session: Session, reply_id: int) -> str:
    """Give the words of a reply, empty when it is gone."""
    return session.scalar(sa.select(Reply.text).where(Reply.id == reply_id)) or ""
