"""Queries about tags and the corrections beside them."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import Correction, PostTags


def tags_of(session: Session, brand_id: int, post_id: int) -> PostTags | None:
    """Give the machine's tags of a post."""
    return session.get(PostTags, (brand_id, post_id))


def corrections_of(session: Session, brand_id: int, post_id: int) -> dict[str, Correction]:
    """Give people's words on a post, by task."""
    statement = sa.select(Correction).where(Correction.brand_id == brand_id, Correction.post_id == post_id)
    return {found.task: found for found in session.scalars(statement)}
