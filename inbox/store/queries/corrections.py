"""Queries about tags and the corrections beside them."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import Correction, Post, PostTags


def tags_of(session: Session, brand_id: int, post_id: int) -> PostTags | None:
    """Give the machine's tags of a post."""
    return session.get(PostTags, (brand_id, post_id))


def correction_of(session: Session, brand_id: int, post_id: int, task: str) -> Correction | None:
    """Give a person's word on one task of a post."""
    statement = sa.select(Correction).where(
        Correction.brand_id == brand_id, Correction.post_id == post_id, Correction.task == task
    )
    return session.scalar(statement)


def latest_inbound_id(session: Session, conversation_id: int) -> int | None:
    """Give the newest post of somebody else's in a conversation."""
    statement = (
        sa.select(Post.id)
        .where(Post.conversation_id == conversation_id, Post.is_own.is_(False))
        .order_by(Post.created_at.desc(), Post.id.desc())
        .limit(1)
    )
    return session.scalar(statement)
