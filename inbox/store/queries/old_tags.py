"""Reads which posts carry tags of a tagger other than the one in use, through the index by brand and tagger."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import Post, PostTags
from inbox.store.types import PostState


@dataclass(frozen=True, slots=True)
class OldTags:
    """A post whose tags are to be renewed; `attempts`: how often that was begun and never ended."""

    post_id: int
    brand_id: int
    attempts: int


def has_tags(session: Session) -> bool:
    """Whether any post was ever tagged."""
    return session.scalar(sa.select(sa.exists().select_from(PostTags))) or False


def list_taggers(session: Session, brand_id: int) -> list[str]:
    """Give the taggers whose tags a brand's posts carry: one step in the index for each, however many posts."""
    found: list[str] = []
    while True:
        query = sa.select(sa.func.min(PostTags.tagger)).where(PostTags.brand_id == brand_id)
        name = session.scalar(query.where(PostTags.tagger > found[-1]) if found else query)
        if name is None:
            return found
        found.append(name)


def list_old_tags(
    session: Session,
    current: Mapping[int, Collection[str]],
    *,
    limit: int,
    most_attempts: int,
    since: datetime | None = None,
) -> list[OldTags]:
    """Give posts whose tagger is not among their brand's current ones, the last to arrive first.

    Posts deleted at the source have no words to read any more, and those that wait for their first tags get them
    anyway: both are left out, as are those begun `most_attempts` times in vain.
    """
    found: list[OldTags] = []
    for brand_id, names in current.items():
        for tagger in set(list_taggers(session, brand_id)) - set(names):
            query = (
                sa.select(Post.id, Post.brand_id, Post.tag_attempts)
                .select_from(PostTags)
                .join(Post, Post.id == PostTags.post_id)
                .where(*_carrying(brand_id, tagger, most_attempts, since))
                .order_by(PostTags.post_id.desc())
                .limit(limit)
            )
            found += [OldTags(*row) for row in session.execute(query)]
    found.sort(key=lambda one: -one.post_id)
    return found[:limit]


def count_old_tags(
    session: Session,
    current: Mapping[int, Collection[str]],
    *,
    cap: int,
    most_attempts: int,
    since: datetime | None = None,
) -> int:
    """Count those posts, as far as `cap`."""
    count = 0
    for brand_id, names in current.items():
        for tagger in set(list_taggers(session, brand_id)) - set(names):
            some = (
                sa.select(sa.literal(1))
                .select_from(PostTags)
                .join(Post, Post.id == PostTags.post_id)
                .where(*_carrying(brand_id, tagger, most_attempts, since))
                .limit(cap - count)
            )
            count += session.scalar(sa.select(sa.func.count()).select_from(some.subquery())) or 0
            if count >= cap:
                return cap
    return count


def _carrying(brand_id: int, tagger: str, most_attempts: int, since: datetime | None) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [
        PostTags.brand_id == brand_id,
        PostTags.tagger == tagger,
        Post.deleted_at_source.is_(None),
        Post.state != PostState.NEW,
        Post.tag_attempts < most_attempts,
    ]
    return conditions if since is None else [*conditions, Post.created_at >= since]
