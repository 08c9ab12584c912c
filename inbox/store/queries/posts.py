"""Reads posts: what is stored already, what waits for tags, what the search index needs."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.statements import is_one_of
from inbox.store.tables import Correction, Post, PostSource, Quarantine, Tombstone
from inbox.store.types import PostState

PostKey = tuple[str, str, str]  # network, instance, external id
RECENT_REFUSALS = 200


@dataclass(frozen=True, slots=True)
class StoredPost:
    """What ingest compares a fetched post with."""

    id: int
    network: str
    instance: str
    external_id: str
    state: PostState
    source_id: int | None
    text: str
    title: str
    is_own: bool
    mentions_us: bool
    repost_of: str | None
    likes: int | None
    replies: int | None
    reposts: int | None
    audience: int
    created_at: datetime
    edited_at: datetime | None
    deleted_at_source: datetime | None

    @property
    def key(self) -> PostKey:
        """What makes it one post within a brand."""
        return self.network, self.instance, self.external_id


_STORED = (
    Post.id,
    Post.network,
    Post.instance,
    Post.external_id,
    Post.state,
    Post.source_id,
    Post.text,
    Post.title,
    Post.is_own,
    Post.mentions_us,
    Post.repost_of,
    Post.likes,
    Post.replies,
    Post.reposts,
    Post.audience,
    Post.created_at,
    Post.edited_at,
    Post.deleted_at_source,
)


def by_place(keys: Iterable[PostKey]) -> dict[tuple[str, str], list[str]]:
    """Group keys by network and instance, so that each group is one lookup in the unique index."""
    places: dict[tuple[str, str], list[str]] = {}
    for network, instance, external_id in keys:
        places.setdefault((network, instance), []).append(external_id)
    return places


def find_posts(session: Session, brand_id: int, keys: Collection[PostKey]) -> dict[PostKey, StoredPost]:
    """Give those of these posts that are stored."""
    found: dict[PostKey, StoredPost] = {}
    for (network, instance), external_ids in by_place(keys).items():
        query = sa.select(*_STORED).where(
            Post.brand_id == brand_id,
            Post.network == network,
            Post.instance == instance,
            is_one_of(session, Post.external_id, external_ids),
        )
        for row in session.execute(query):
            stored = StoredPost(*tuple(row))
            found[stored.key] = stored
    return found


def list_stored_posts(session: Session, post_ids: Sequence[int]) -> dict[int, StoredPost]:
    """Give these posts by id."""
    if not post_ids:
        return {}
    query = sa.select(*_STORED).where(is_one_of(session, Post.id, post_ids))
    return {int(row[0]): StoredPost(*tuple(row)) for row in session.execute(query)}


def find_inserted(
    session: Session,
    brand_id: int,
    keys: Collection[PostKey],
    *,
    source_id: int | None,
    fetched_at: datetime,
) -> dict[PostKey, int]:
    """Give the ids of the rows just inserted by this source; rows another one was faster with are left out."""
    found: dict[PostKey, int] = {}
    for (network, instance), external_ids in by_place(keys).items():
        query = sa.select(Post.id, Post.external_id).where(
            Post.brand_id == brand_id,
            Post.network == network,
            Post.instance == instance,
            is_one_of(session, Post.external_id, external_ids),
            Post.fetched_at == fetched_at,
            Post.source_id == source_id if source_id is not None else Post.source_id.is_(None),
        )
        found |= {(network, instance, external_id): post_id for post_id, external_id in session.execute(query)}
    return found


def count_reposts(
    session: Session, brand_id: int, network: str, instance: str, originals: Sequence[str]
) -> dict[str, int]:
    """Count the stored reposts of these posts; those without any are left out."""
    query = (
        sa.select(Post.parent_external_id, sa.func.count())
        .where(
            Post.brand_id == brand_id,
            Post.network == network,
            Post.instance == instance,
            is_one_of(session, Post.parent_external_id, originals),
            Post.repost_of.is_not(None),
        )
        .group_by(Post.parent_external_id)
    )
    return {external_id: number for external_id, number in session.execute(query) if external_id}


def list_due_for_tagging(session: Session, limit: int) -> list[int]:
    """Give posts waiting for tags, in order of arrival."""
    query = sa.select(Post.id).where(Post.state == PostState.NEW).order_by(Post.id).limit(limit)
    return list(session.scalars(query))


@dataclass(frozen=True, slots=True)
class TextToTag:
    """A post as the tagger sees it."""

    id: int
    brand_id: int
    text: str
    title: str
    language_hint: str | None
    language: str | None
    created_at: datetime
    tag_attempts: int


def text_to_tag(title: str, text: str) -> str:
    """Give a post's words as the tagger reads them."""
    return f"{title}\n{text}".strip()


_TO_TAG = (
    Post.id,
    Post.brand_id,
    Post.text,
    Post.title,
    Post.language_hint,
    Post.language,
    Post.created_at,
    Post.tag_attempts,
)


def list_texts_to_tag(session: Session, post_ids: Sequence[int]) -> list[TextToTag]:
    """Give those of these posts that still wait for tags, locked against a second tagger."""
    query = (
        sa.select(*_TO_TAG)
        .where(is_one_of(session, Post.id, post_ids), Post.state == PostState.NEW)
        .order_by(Post.id)
        .with_for_update(skip_locked=True)
    )
    return [TextToTag(*row) for row in session.execute(query)]


def list_texts(session: Session, post_ids: Sequence[int]) -> list[TextToTag]:
    """Give these posts as the tagger sees them, in whatever state, locked against other writers."""
    query = sa.select(*_TO_TAG).where(is_one_of(session, Post.id, post_ids)).order_by(Post.id).with_for_update()
    return [TextToTag(*row) for row in session.execute(query)]


def list_tag_attempts(session: Session, post_ids: Sequence[int]) -> dict[int, int]:
    """Give how often tagging was begun for those of these posts that wait for it and that no other tagger is at."""
    query = (
        sa.select(Post.id, Post.tag_attempts)
        .where(is_one_of(session, Post.id, post_ids), Post.state == PostState.NEW)
        .order_by(Post.id)
        .with_for_update(skip_locked=True)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def list_language_corrections(session: Session, post_ids: Sequence[int]) -> dict[int, str]:
    """Give the languages people set by hand."""
    query = sa.select(Correction.post_id, Correction.value).where(
        Correction.brand_id.in_(sa.select(Post.brand_id).where(is_one_of(session, Post.id, post_ids))),
        is_one_of(session, Correction.post_id, post_ids),
        Correction.task == "language",
    )
    return {post_id: str(value[0]) for post_id, value in session.execute(query) if value}


def list_to_refresh(session: Session, source_id: int, *, since: datetime, limit: int) -> list[tuple[int, str, str]]:
    """Give (id, instance, external id) of a source's living posts since then, the last to arrive first."""
    query = (
        sa.select(Post.id, Post.instance, Post.external_id)
        .join(PostSource, sa.and_(PostSource.brand_id == Post.brand_id, PostSource.post_id == Post.id))
        .where(
            PostSource.source_id == source_id,
            Post.created_at >= since,
            Post.deleted_at_source.is_(None),
        )
        .order_by(PostSource.post_id.desc())
        .limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in session.execute(query)]


def has_tombstones(session: Session, brand_id: int) -> bool:
    """Whether anything of this brand was ever erased."""
    return session.scalar(sa.select(sa.exists().where(Tombstone.brand_id == brand_id))) or False


def find_tombstones(session: Session, brand_id: int, digests: Sequence[str]) -> set[str]:
    """Give those of these digests that stand for something erased."""
    query = sa.select(Tombstone.digest).where(
        Tombstone.brand_id == brand_id, is_one_of(session, Tombstone.digest, digests)
    )
    return set(session.scalars(query))


def list_recent_refusals(session: Session, source_id: int) -> set[tuple[str | None, str, str]]:
    """Give (external id, reason, raw) of a source's latest quarantined records."""
    query = (
        sa.select(Quarantine.external_id, Quarantine.reason, Quarantine.raw)
        .where(Quarantine.source_id == source_id)
        .order_by(Quarantine.created_at.desc())
        .limit(RECENT_REFUSALS)
    )
    return {(row[0], row[1], row[2]) for row in session.execute(query)}


def iterate_post_ids(session: Session, brand_id: int, *, batch: int = 1000) -> Iterator[list[int]]:
    """Give all of a brand's posts in order of arrival, a batch at a time."""
    after = 0
    while True:
        query = sa.select(Post.id).where(Post.brand_id == brand_id, Post.id > after).order_by(Post.id).limit(batch)
        ids = list(session.scalars(query))
        if not ids:
            return
        yield ids
        after = ids[-1]
