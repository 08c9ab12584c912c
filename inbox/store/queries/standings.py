"""Reads what routing needs of conversations and their messages: plain rows, a batch at a time.

Routing touches every conversation something arrives in; objects that follow their own changes would cost it
more than the database does. inbox/triage/standings.py writes the rows back.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.statements import is_one_of
from inbox.store.tables import Contact, Conversation, Correction, Identity, Post, PostTags
from inbox.store.types import ConversationState, PostState, SlaState

PREVIEW_SOURCE = 400
TOXIC, CIVIL = "toxic", "civil"  # a person's word on toxicity


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
    emotion: str | None
    urgency: int | None
    is_toxic: bool
    first_inbound_at: datetime | None
    last_inbound_at: datetime | None
    last_reply_at: datetime | None
    sla_state: SlaState
    sla_started_at: datetime | None
    sla_due_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class InboundPost:
    """A message of somebody else in a conversation: its beginning, its author's standing, its tags if it has any.

    Where a person corrected a tag, the person's word stands in its place, with probability one.
    """

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
    emotion_label: str | None
    emotion_unsure: bool | None
    toxicity: float | None
    toxicity_unsure: bool | None
    urgency: int | None
    urgency_unsure: bool | None
    urgency_probabilities: dict[str, float] | None


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
    PostTags.emotion_label,
    PostTags.emotion_unsure,
    PostTags.toxicity,
    PostTags.toxicity_unsure,
    PostTags.urgency,
    PostTags.urgency_unsure,
    PostTags.urgency_probabilities,
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
    rows = [InboundPost(*row) for row in session.execute(query.order_by(Post.created_at, Post.id))]
    for post in _with_corrections(session, rows):
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
    return {post.conversation_id: post for post in _with_corrections(session, [InboundPost(*row) for row in found])}


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


def _with_corrections(session: Session, posts: Sequence[InboundPost]) -> list[InboundPost]:
    if not posts:
        return []
    query = (
        sa.select(Correction.post_id, Correction.task, Correction.value)
        .join(Post, sa.and_(Post.id == Correction.post_id, Post.brand_id == Correction.brand_id))
        .where(is_one_of(session, Post.id, [post.post_id for post in posts]))
    )
    corrected: defaultdict[int, dict[str, Any]] = defaultdict(dict)
    for post_id, task, value in session.execute(query):
        if value:
            corrected[post_id].update(_spoken(task, [str(one) for one in value]))
    return [replace(post, **corrected[post.post_id]) if post.post_id in corrected else post for post in posts]


def _spoken(task: str, value: Sequence[str]) -> dict[str, Any]:
    # What a person said, in the fields the machine would have filled.
    said: dict[str, Any] = {}
    match task:
        case "sentiment":
            said = {"sentiment_label": value[0], "sentiment_confidence": 1.0, "sentiment": {value[0]: 1.0}}
        case "intents":
            return {"intent_labels": list(value), "intents": dict.fromkeys(value, 1.0)}
        case "emotion":
            said = {"emotion_label": value[0]}
        case "toxicity":
            said = {"toxicity": float(value[0] == TOXIC)}
        case "urgency":
            said = {"urgency": int(value[0]), "urgency_probabilities": {value[0]: 1.0}}
        case "language":
            return {"post_language": value[0]}
    return {**said, f"{task}_unsure": False}


def _inbound() -> sa.Select[Any]:
    return (
        sa.select(*_INBOUND)
        .join(Identity, Identity.id == Post.author_id)
        .outerjoin(Contact, Contact.id == Identity.contact_id)
        .outerjoin(PostTags, sa.and_(PostTags.brand_id == Post.brand_id, PostTags.post_id == Post.id))
        .where(Post.is_own.is_(False), Post.repost_of.is_(None))
    )
