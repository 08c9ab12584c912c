"""Reads what routing needs of conversations and their messages: plain rows, a batch at a time.

Routing touches every conversation something arrives in; objects that follow their own changes would cost it
more than the database does. inbox/triage/standings.py writes the rows back.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.statements import is_one_of
from inbox.store.tables import Contact, Conversation, Identity, Post, PostTags
from inbox.store.types import ConversationState, PostState, SlaState

PREVIEW_SOURCE = 400


@dataclass(slots=True)
class Standing:
    """A conversation as routing reads it and leaves it; names and meanings are those of its columns."""

    id: int
    brand_id: int
    state: ConversationState
    is_spam: bool
    is_muted: bool
    is_crisis: bool
    is_unread: bool
    priority: int
    priority_reasons: list[Any]
    assignee_id: int | None
    author_id: int | None
    preview: str
    audience: int
    language: str | None
    sentiment: str | None
    sentiment_confidence: float | None
    sentiment_unsure: bool
    intent: str | None
    intent_confidence: float | None
    intents: list[Any]
    first_inbound_at: datetime | None
    last_inbound_at: datetime | None
    last_reply_at: datetime | None
    sla_state: SlaState
    sla_started_at: datetime | None
    sla_due_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class InboundPost:
    """A message of somebody else in a conversation: its beginning, its author's standing, its tags if it has any."""

    conversation_id: int
    post_id: int
    network: str
    created_at: datetime
    is_history: bool
    title: str
    text: str
    audience: int
    post_language: str | None
    language_hint: str | None
    author_id: int
    followers: int | None
    is_vip: bool | None
    tagged_language: str | None
    sentiment_label: str | None
    sentiment_confidence: float | None
    sentiment_unsure: bool | None
    sentiment: dict[str, float] | None
    intents: dict[str, float] | None
    intent_labels: list[str] | None


_STANDING = tuple(getattr(Conversation, name) for name in Standing.__slots__)
_INBOUND = (
    Post.conversation_id,
    Post.id,
    Post.network,
    Post.created_at,
    Post.is_history,
    Post.title,
    sa.func.substr(Post.text, 1, PREVIEW_SOURCE),
    Post.audience,
    Post.language,
    Post.language_hint,
    Identity.id,
    Identity.followers,
    Contact.is_vip,
    PostTags.language,
    PostTags.sentiment_label,
    PostTags.sentiment_confidence,
    PostTags.sentiment_unsure,
    PostTags.sentiment,
    PostTags.intents,
    PostTags.intent_labels,
)


def lock_tagged_posts(session: Session, post_ids: Sequence[int]) -> list[int]:
    """Give those of these posts that still wait to be routed, locked against other workers."""
    query = (
        sa.select(Post.id)
        .where(is_one_of(session, Post.id, post_ids), Post.state == PostState.TAGGED)
        .order_by(Post.id)
        .with_for_update()
    )
    return list(session.scalars(query))


def lock_standings(session: Session, conversation_ids: Iterable[int]) -> list[Standing]:
    """Give these conversations as they stand in the database, locked until the transaction ends."""
    query = (
        sa.select(*_STANDING)
        .where(is_one_of(session, Conversation.id, conversation_ids))
        .order_by(Conversation.id)
        .with_for_update()
    )
    return [Standing(*row) for row in session.execute(query)]


def inbound_posts(session: Session, post_ids: Sequence[int]) -> dict[int, list[InboundPost]]:
    """Give others' messages among these posts by conversation, oldest first; reposts are left out."""
    query = _inbound().where(is_one_of(session, Post.id, post_ids), Post.conversation_id.is_not(None))
    found: defaultdict[int, list[InboundPost]] = defaultdict(list)
    for row in session.execute(query.order_by(Post.created_at, Post.id)):
        post = InboundPost(*row)
        found[post.conversation_id].append(post)
    return found


def latest_inbound(session: Session, conversation_ids: Iterable[int]) -> dict[int, InboundPost]:
    """Give the latest message of somebody else in each of these conversations."""
    wanted = list(conversation_ids)
    if not wanted:
        return {}
    latest = (
        sa.select(Post.id)
        .where(Post.conversation_id == Conversation.id, Post.is_own.is_(False), Post.repost_of.is_(None))
        .order_by(Post.created_at.desc(), Post.id.desc())
        .limit(1)
        .correlate(Conversation)
        .scalar_subquery()
    )
    ids = session.scalars(sa.select(latest).where(is_one_of(session, Conversation.id, wanted))).all()
    found = session.execute(_inbound().where(is_one_of(session, Post.id, [one for one in ids if one is not None])))
    return {row[0]: InboundPost(*row) for row in found}


def first_answers(session: Session, conversation_ids: Iterable[int]) -> dict[int, datetime]:
    """Give the time of our first public answer after the first inbound message, by conversation."""
    rows = session.execute(
        sa.select(Conversation.id, sa.func.min(Post.created_at))
        .join(Post, Post.conversation_id == Conversation.id)
        .where(
            is_one_of(session, Conversation.id, conversation_ids),
            Post.is_own.is_(True),
            Post.parent_external_id.is_not(None),
            Post.created_at >= Conversation.first_inbound_at,
        )
        .group_by(Conversation.id)
    )
    return {row[0]: row[1] for row in rows}


def _inbound() -> sa.Select[Any]:
    return (
        sa.select(*_INBOUND)
        .join(Identity, Identity.id == Post.author_id)
        .outerjoin(Contact, Contact.id == Identity.contact_id)
        .outerjoin(PostTags, sa.and_(PostTags.brand_id == Post.brand_id, PostTags.post_id == Post.id))
        .where(Post.is_own.is_(False), Post.repost_of.is_(None))
    )
