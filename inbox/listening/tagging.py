"""Tagging: new posts get the machine's labels. A text the tagger fails on costs only itself."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from inbox.listening.tag_rows import read_tags
from inbox.reputation.rollups import mark_dirty
from inbox.reputation.topics import TOLD, wait_for_topic
from inbox.store.queries.posts import (
    TextToTag,
    list_due_for_tagging,
    list_language_corrections,
    list_texts_to_tag,
)
from inbox.store.queries.tag_rules import read_rulesets
from inbox.store.rows import update_rows
from inbox.store.search_index import STEMMED, index_posts
from inbox.store.statements import expire_loaded, table_of, upsert
from inbox.store.tables import Post, PostTags
from inbox.store.types import PostState
from nlp.base import UNDETERMINED, Tagger

TAGS_KEY = ("brand_id", "post_id")
TagRow = dict[str, Any]


def due_for_tagging(session: Session, limit: int) -> list[int]:
    """Give posts waiting for tags, in order of arrival."""
    return list_due_for_tagging(session, limit)


def tag_posts(
    session: Session,
    post_ids: Sequence[int],
    tagger: Tagger,
    now: datetime,
    *,
    by_brand: Mapping[int, Tagger] | None = None,
) -> list[int]:
    """Tag those of these posts that wait for it; gives their ids, ready for routing. The caller commits.

    Corrections by people stay: they stand apart, and a corrected language is kept on the post too. A post the
    tagger cannot read goes on with unsure labels and the reason, so that a person sees it. The brand's own rules
    have the last word over the machine.
    """
    session.flush()
    posts = list_texts_to_tag(session, post_ids)
    if not posts:
        return []
    rules = read_rulesets(session, {post.brand_id for post in posts})
    return store_tags(session, posts, read_tags(posts, tagger, now, by_brand=by_brand, rules=rules), now)


def keep_tags(session: Session, posts: Sequence[TextToTag], rows: Sequence[TagRow], now: datetime) -> list[int]:
    """Store what was read outside this transaction: of posts that still wait, in the words that were read."""
    session.flush()
    waiting = {post.id: post for post in list_texts_to_tag(session, [post.id for post in posts])}
    kept = [
        (post, row)
        for post, row in zip(posts, rows, strict=True)
        if post.id in waiting and (waiting[post.id].title, waiting[post.id].text) == (post.title, post.text)
    ]
    return store_tags(session, [post for post, _ in kept], [row for _, row in kept], now)


def store_tags(
    session: Session,
    posts: Sequence[TextToTag],
    rows: Sequence[TagRow],
    now: datetime,
    *,
    state: PostState | None = PostState.TAGGED,
) -> list[int]:
    """Write tags and what hangs on them: the posts' language, stems, days to recount, topics. Gives the ids.

    `state`: what the posts become; None where they stay what they are.
    """
    if not posts:
        return []
    upsert(session, PostTags, rows, TAGS_KEY, [name for name in rows[0] if name not in TAGS_KEY])
    corrected = list_language_corrections(session, [post.id for post in posts])
    languages = {post.id: corrected.get(post.id) or str(row["language"]) for post, row in zip(posts, rows, strict=True)}
    moved: TagRow = {} if state is None else {"state": state}
    update_rows(
        session,
        table_of(Post),
        [
            {"id": post_id, "language": None if language == UNDETERMINED else language, "tag_attempts": 0, **moved}
            for post_id, language in languages.items()
        ],
    )
    expire_loaded(session, Post, languages)
    expire_loaded(session, PostTags, languages)
    _index_stems(session, posts, languages)
    by_brand: dict[int, list[datetime]] = {}
    for post in posts:
        by_brand.setdefault(post.brand_id, []).append(post.created_at)
    for brand_id in sorted(by_brand):
        mark_dirty(session, brand_id, by_brand[brand_id], now)
    wait_for_topic(
        session,
        [
            (post.brand_id, post.id, post.created_at)
            for post, row in zip(posts, rows, strict=True)
            if not TOLD.isdisjoint(row["intent_labels"])
        ],
    )
    return [post.id for post in posts]


def _index_stems(session: Session, posts: Sequence[TextToTag], languages: Mapping[int, str]) -> None:
    """Index anew the posts whose language is known only now, or another now; SQLite keeps no stems."""
    if session.connection().dialect.name == "sqlite":
        return
    index_posts(
        session,
        [
            post.id
            for post in posts
            if languages[post.id][:2] in STEMMED
            and languages[post.id][:2] != (post.language or post.language_hint or "")[:2]
        ],
    )
