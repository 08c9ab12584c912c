"""Reads posts and conversations for an export: oldest first, a batch at a time, every field a person may want."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.statements import is_one_of
from inbox.store.tables import Conversation, Correction, Identity, Post, PostTags, User

_BATCH = 1000
Cell = str | int | float | bool | datetime | None | list[str]


def exported_posts(
    session: Session, brand_id: int, *, since: datetime | None, until: datetime | None
) -> Iterator[dict[str, Cell]]:
    """Give a brand's posts with author, the machine's tags and people's corrections. `since` is included, `until` not.

    `corrections` holds "task=label", several intents joined by commas; the machine's own labels stand beside them.
    """
    base = (
        sa.select(Post, Identity, PostTags)
        .join(Identity, Identity.id == Post.author_id)
        .outerjoin(PostTags, sa.and_(PostTags.post_id == Post.id, PostTags.brand_id == Post.brand_id))
        .where(*_post_range(brand_id, since, until))
        .order_by(Post.created_at, Post.id)
        .limit(_BATCH)
    )
    statement = base
    while True:
        rows = session.execute(statement).all()
        corrections = _corrections_of(session, brand_id, [post.id for post, _, _ in rows])
        for post, author, tags in rows:
            yield {**_post_cells(post, author, tags), "corrections": corrections.get(post.id, [])}
        if len(rows) < _BATCH:
            return
        last: Post = rows[-1][0]
        session.expunge_all()
        statement = base.where(
            sa.tuple_(Post.created_at, Post.id) > sa.tuple_(sa.literal(last.created_at, Post.created_at.type), last.id)
        )


def exported_conversations(
    session: Session, brand_id: int, *, since: datetime | None, until: datetime | None
) -> Iterator[dict[str, Cell]]:
    """Give a brand's conversations by their last activity. `since` is included, `until` not."""
    base = (
        sa.select(Conversation, Identity.handle, User.email)
        .outerjoin(Identity, Identity.id == Conversation.author_id)
        .outerjoin(User, User.id == Conversation.assignee_id)
        .where(*_conversation_range(brand_id, since, until))
        .order_by(Conversation.last_activity_at, Conversation.id)
        .limit(_BATCH)
    )
    statement = base
    while True:
        rows = session.execute(statement).all()
        for conversation, handle, assignee in rows:
            yield _conversation_cells(conversation, handle, assignee)
        if len(rows) < _BATCH:
            return
        last: Conversation = rows[-1][0]
        session.expunge_all()
        statement = base.where(
            sa.tuple_(Conversation.last_activity_at, Conversation.id)
            > sa.tuple_(sa.literal(last.last_activity_at, Conversation.last_activity_at.type), last.id)
        )


def count_exported(
    session: Session, what: str, brand_id: int, *, since: datetime | None, until: datetime | None
) -> int:
    """Count what an export of "posts" or "conversations" will give."""
    table, chosen = (Post, _post_range) if what == "posts" else (Conversation, _conversation_range)
    statement = sa.select(sa.func.count()).select_from(table).where(*chosen(brand_id, since, until))
    return session.scalar(statement) or 0


def _post_range(brand_id: int, since: datetime | None, until: datetime | None) -> list[sa.ColumnElement[bool]]:
    chosen: list[sa.ColumnElement[bool]] = [Post.brand_id == brand_id]
    if since is not None:
        chosen.append(Post.created_at >= since)
    if until is not None:
        chosen.append(Post.created_at < until)
    return chosen


def _conversation_range(brand_id: int, since: datetime | None, until: datetime | None) -> list[sa.ColumnElement[bool]]:
    chosen: list[sa.ColumnElement[bool]] = [Conversation.brand_id == brand_id]
    if since is not None:
        chosen.append(Conversation.last_activity_at >= since)
    if until is not None:
        chosen.append(Conversation.last_activity_at < until)
    return chosen


def _corrections_of(session: Session, brand_id: int, post_ids: Sequence[int]) -> dict[int, list[str]]:
    statement = (
        sa.select(Correction.post_id, Correction.task, Correction.value)
        .where(Correction.brand_id == brand_id, is_one_of(session, Correction.post_id, post_ids))
        .order_by(Correction.post_id, Correction.task)
    )
    found: dict[int, list[str]] = {}
    for post_id, task, value in session.execute(statement):
        found.setdefault(post_id, []).append(f"{task}={','.join(str(one) for one in value)}")
    return found


def _post_cells(post: Post, author: Identity, tags: PostTags | None) -> dict[str, Cell]:
    return {
        "id": post.id,
        "network": post.network,
        "instance": post.instance,
        "external_id": post.external_id,
        "kind": post.kind,
        "created_at": post.created_at,
        "author": author.handle,
        "author_name": author.display_name,
        "author_id": author.external_id,
        "followers": author.followers,
        "is_own": post.is_own,
        "title": post.title,
        "text": post.text,
        "url": post.url,
        "parent_id": post.parent_external_id,
        "conversation_id": post.conversation_id,
        "language": post.language,
        "sentiment": tags.sentiment_label if tags else None,
        "sentiment_confidence": tags.sentiment_confidence if tags else None,
        "sentiment_unsure": tags.sentiment_unsure if tags else None,
        "intents": [str(label) for label in tags.intent_labels] if tags else [],
        "emotion": tags.emotion_label if tags else None,
        "emotion_unsure": tags.emotion_unsure if tags else None,
        "urgency": tags.urgency if tags else None,
        "urgency_unsure": tags.urgency_unsure if tags else None,
        "toxicity": tags.toxicity if tags else None,
        "toxicity_unsure": tags.toxicity_unsure if tags else None,
        "rules": [str(name) for name in tags.rules] if tags else [],
        "tagger": tags.tagger if tags else None,
        "likes": post.likes,
        "replies": post.replies,
        "reposts": post.reposts,
        "rating": post.rating,
        "edited_at": post.edited_at,
        "deleted_at_source": post.deleted_at_source,
    }


def _conversation_cells(conversation: Conversation, handle: str | None, assignee: str | None) -> dict[str, Cell]:
    return {
        "id": conversation.id,
        "network": conversation.network,
        "thread": conversation.thread_key,
        "state": conversation.state.value,
        "author": handle,
        "assignee": assignee,
        "preview": conversation.preview,
        "language": conversation.language,
        "sentiment": conversation.sentiment,
        "intent": conversation.intent,
        "emotion": conversation.emotion,
        "urgency": conversation.urgency,
        "is_toxic": conversation.is_toxic,
        "priority": conversation.priority,
        "posts": conversation.post_count,
        "answers": conversation.reply_count,
        "audience": conversation.audience,
        "first_inbound_at": conversation.first_inbound_at,
        "first_reply_at": conversation.first_reply_at,
        "last_inbound_at": conversation.last_inbound_at,
        "last_activity_at": conversation.last_activity_at,
        "sla_state": conversation.sla_state.value,
        "sla_due_at": conversation.sla_due_at,
        "is_spam": conversation.is_spam,
        "is_crisis": conversation.is_crisis,
    }
