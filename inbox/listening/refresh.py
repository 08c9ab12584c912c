"""Refresh: edits, deletions and counts at the network are followed. A deleted post keeps its place, not its words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from connectors.base import Clock, PostStatus
from connectors.errors import ConnectorError
from connectors.text import clean_text
from inbox.listening.changes import edit_post
from inbox.listening.poll import ConnectorOf
from inbox.listening.source_state import describe
from inbox.listening.validation import MAX_TEXT, clean_count
from inbox.reputation.rollups import mark_dirty
from inbox.store.engine import Store
from inbox.store.queries.posts import StoredPost, list_stored_posts, list_to_refresh
from inbox.store.queries.sources import get_source
from inbox.store.search_index import index_posts, unindex_posts
from inbox.store.statements import is_one_of
from inbox.store.tables import Conversation, Post, PostTags

log = structlog.get_logger(__name__)
LOOK_BACK = timedelta(days=14)
BATCH = 100


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """What a refresh found. `error` is in words for the operator; nothing was changed then."""

    asked: int = 0
    edited_ids: tuple[int, ...] = ()
    deleted_ids: tuple[int, ...] = ()
    error_kind: str | None = None
    error: str | None = None


def refresh_posts(
    store: Store,
    source_id: int,
    *,
    connector_of: ConnectorOf,
    clock: Clock,
    limit: int = BATCH,
    since: timedelta = LOOK_BACK,
) -> RefreshReport:
    """Ask a source's network for the present state of its latest posts and follow it; commits by itself."""
    with store.read() as session:
        source = get_source(session, source_id)
        if source is None:
            return RefreshReport()
        posts = list_to_refresh(session, source_id, since=clock() - since, limit=limit)
    if not posts:
        return RefreshReport()
    try:
        connector = connector_of(source)
        if not connector.capabilities.can_refresh:
            return RefreshReport()
        statuses = connector.refresh([external_id for _, _, external_id in posts])
    except ConnectorError as error:  # the next poll meets it too, and sets the source's state
        kind, words = describe(error)
        log.info("refresh.failed", source=source_id, kind=kind)
        return RefreshReport(asked=len(posts), error_kind=kind, error=words)
    ids = {external_id: post_id for post_id, _, external_id in posts}
    with store.write() as session:
        edited, deleted = apply_statuses(
            session,
            source.brand_id,
            [(ids[one.external_id], one) for one in statuses if one.external_id in ids],
            clock(),
        )
    return RefreshReport(asked=len(posts), edited_ids=tuple(edited), deleted_ids=tuple(deleted))


def apply_statuses(
    session: Session, brand_id: int, statuses: Sequence[tuple[int, PostStatus]], now: datetime
) -> tuple[list[int], list[int]]:
    """Follow what a network says of posts by their ids; gives the ids edited and deleted. The caller commits."""
    stored = list_stored_posts(session, [post_id for post_id, _ in statuses])
    edited: list[int] = []
    deleted: list[int] = []
    for post_id, status in statuses:
        post = stored.get(post_id)
        if post is None or post.deleted_at_source is not None:
            continue
        if status.is_deleted:
            deleted.append(post_id)
            continue
        if _edit(session, post, status, now):
            edited.append(post_id)
        _count(session, post, status)
    index_posts(session, edited)
    delete_posts(session, [stored[post_id] for post_id in deleted], now)
    mark_dirty(session, brand_id, [stored[post_id].created_at for post_id in (*edited, *deleted)], now)
    session.expire_all()
    return edited, deleted


def delete_posts(session: Session, posts: Sequence[StoredPost], now: datetime) -> None:
    """Turn posts into tombstones: place, author and counts stay; words, pictures, names and index entries go."""
    if not posts:
        return
    ids = [post.id for post in posts]
    previews = {" ".join((post.title or post.text).split())[:280] for post in posts} - {""}
    conversations = sa.select(Post.conversation_id).where(is_one_of(session, Post.id, ids))
    session.execute(
        sa.update(Conversation)
        .where(Conversation.id.in_(conversations), is_one_of(session, Conversation.preview, previews))
        .values(preview="")
        .execution_options(synchronize_session=False)
    )
    session.execute(
        sa.update(Post)
        .where(is_one_of(session, Post.id, ids))
        .values(text="", title="", media=[], deleted_at_source=now)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        sa.update(PostTags)
        .where(is_one_of(session, PostTags.post_id, ids))
        .values(entities=[])
        .execution_options(synchronize_session=False)
    )
    unindex_posts(session, ids)


def _edit(session: Session, post: StoredPost, status: PostStatus, now: datetime) -> bool:
    if status.text is None:
        return False
    text = clean_text(status.text)[:MAX_TEXT]
    is_older = status.edited_at is not None and post.edited_at is not None and status.edited_at <= post.edited_at
    if text == post.text or is_older:
        return False
    edit_post(session, post, text=text, title=post.title, edited_at=min(status.edited_at or now, now))
    return True


def _count(session: Session, post: StoredPost, status: PostStatus) -> None:
    likes, replies = clean_count(status.likes), clean_count(status.replies)
    values = {
        name: new
        for name, new, old in (("likes", likes, post.likes), ("replies", replies, post.replies))
        if new is not None and new != old
    }
    if values:
        session.execute(
            sa.update(Post).where(Post.id == post.id).values(**values).execution_options(synchronize_session=False)
        )
