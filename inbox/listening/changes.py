"""What a post's later appearances change: its words when edited, its counts, the reposts that point at it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.listening.validation import CleanPost
from inbox.store.queries.posts import PostKey, StoredPost, by_place, count_reposts, find_posts
from inbox.store.search_index import index_posts
from inbox.store.tables import Post
from inbox.store.types import PostState


@dataclass(slots=True)
class Changed:
    """Posts whose words changed, and the days whose cells that touches."""

    edited_ids: list[int] = field(default_factory=list)
    touched: list[datetime] = field(default_factory=list)


def apply_changes(
    session: Session,
    posts: Sequence[CleanPost],
    known: Mapping[PostKey, StoredPost],
    *,
    source_id: int | None,
    now: datetime,
) -> Changed:
    """Follow edits and counts of posts stored before; an edited post goes back to be tagged again.

    Another source's wording counts as an edit only when the network dates it later: sources cut and render the
    same post differently, and must not take turns overwriting it. A post deleted at its network stays deleted.
    """
    changed = Changed()
    counts: list[dict[str, object]] = []
    for post in posts:
        stored = known[post.key]
        if stored.deleted_at_source is not None:
            continue
        if is_edit(post, stored, source_id):
            edit_post(session, stored, text=post.text, title=post.title, edited_at=post.edited_at or now)
            changed.edited_ids.append(stored.id)
            if not stored.is_own and stored.repost_of is None:
                changed.touched.append(stored.created_at)
        new_counts = _new_counts(post, stored)
        if new_counts is not None:
            counts.append({"id": stored.id, **new_counts})
            if new_counts["audience"] != stored.audience:
                changed.touched.append(stored.created_at)
    if counts:
        session.execute(sa.update(Post), counts)
    if changed.edited_ids:
        index_posts(session, changed.edited_ids)
    return changed


def is_edit(post: CleanPost, stored: StoredPost, source_id: int | None) -> bool:
    """Whether this appearance carries newer words than the stored one."""
    if (post.text, post.title) == (stored.text, stored.title):
        return False
    if post.edited_at is not None:
        return stored.edited_at is None or post.edited_at > stored.edited_at
    return source_id is not None and source_id == stored.source_id


def edit_post(session: Session, stored: StoredPost, *, text: str, title: str, edited_at: datetime) -> None:
    """Set a post's words; unless it is ours or a repost, it waits for tags again. The caller indexes it."""
    values: dict[str, object] = {"text": text, "title": title, "edited_at": edited_at}
    if not stored.is_own and stored.repost_of is None:
        values |= {"state": PostState.NEW, "tag_attempts": 0}
    session.execute(
        sa.update(Post).where(Post.id == stored.id).values(**values).execution_options(synchronize_session=False)
    )


def count_reposts_of(session: Session, brand_id: int, new: Sequence[CleanPost]) -> None:
    """Bring the originals' count of reposts up to what is stored, whichever of the two came first.

    The network's own count stays where it is higher.
    """
    originals = [(post.network, post.instance, post.repost_of or post.external_id) for post in new]
    for (network, instance), external_ids in by_place(dict.fromkeys(originals)).items():
        counts = count_reposts(session, brand_id, network, instance, external_ids)
        if not counts:
            continue
        stored = find_posts(session, brand_id, [(network, instance, one) for one in counts])
        rows = [
            {"id": post.id, "reposts": counts[post.external_id]}
            for post in stored.values()
            if (post.reposts or 0) < counts[post.external_id]
        ]
        if rows:
            session.execute(sa.update(Post), rows)


def _new_counts(post: CleanPost, stored: StoredPost) -> dict[str, int | bool | None] | None:
    """Give the columns of counts if any moved; what the network does not tell stays as it was."""
    counts: dict[str, int | bool | None] = {
        "likes": stored.likes if post.likes is None else post.likes,
        "replies": stored.replies if post.replies is None else post.replies,
        "reposts": stored.reposts if post.reposts is None else max(post.reposts, 0),
        "audience": max(post.audience, stored.audience),
        "mentions_us": stored.mentions_us or post.mentions_us,
    }
    before = (stored.likes, stored.replies, stored.reposts, stored.audience, stored.mentions_us)
    return None if tuple(counts.values()) == before else counts
