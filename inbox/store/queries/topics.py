"""Queries about topics: what waits to be placed, the pool, and the counts a screen shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from inbox.store.queries.cells import UNSURE
from inbox.store.statements import is_one_of
from inbox.store.tables import Correction, Post, PostTags, PostTopic, Topic
from inbox.store.types import PostState


@dataclass(frozen=True, slots=True)
class WaitingPost:
    """A post that waits for its place among the topics; `is_heard` is False where it does not count (own, repost)."""

    brand_id: int
    post_id: int
    text: str
    is_heard: bool


@dataclass(frozen=True, slots=True)
class TopicCount:
    """How many posts of a topic fell into a period, by sentiment."""

    topic_id: int
    sentiment: str
    posts: int


@dataclass(frozen=True, slots=True)
class Example:
    """A post that says what a topic is about."""

    topic_id: int
    post_id: int
    conversation_id: int | None
    language: str | None
    text: str
    created_at: datetime


def list_waiting(session: Session, limit: int) -> list[WaitingPost]:
    """Give posts that wait to be placed, the oldest first."""
    query = (
        sa.select(PostTopic.brand_id, PostTopic.post_id, Post.title, Post.text, Post.is_own, Post.repost_of, Post.state)
        .join(Post, Post.id == PostTopic.post_id)
        .where(PostTopic.space.is_(None))
        .order_by(PostTopic.post_id)
        .limit(limit)
    )
    return [
        WaitingPost(brand_id, post_id, f"{title}\n{text}".strip(), _is_heard(is_own, repost_of, state))
        for brand_id, post_id, title, text, is_own, repost_of, state in session.execute(query)
    ]


def _is_heard(is_own: bool, repost_of: str | None, state: PostState) -> bool:  # noqa: FBT001 - columns of one row
    return not is_own and repost_of is None and state is not PostState.IGNORED


def list_topics(session: Session, brand_id: int) -> list[Topic]:
    """Give a brand's topics that were not given up for another, the oldest first."""
    return list(
        session.scalars(
            sa.select(Topic).where(Topic.brand_id == brand_id, Topic.merged_into_id.is_(None)).order_by(Topic.id)
        )
    )


def list_pool(session: Session, brand_id: int, limit: int) -> list[tuple[int, bytes]]:
    """Give (post id, vector) of the newest posts of the pool, newest first."""
    query = (
        sa.select(PostTopic.post_id, PostTopic.vector)
        .where(PostTopic.brand_id == brand_id, PostTopic.vector.is_not(None))
        .order_by(PostTopic.post_id.desc())
        .limit(limit)
    )
    return [(post_id, vector) for post_id, vector in session.execute(query) if vector is not None]


def list_texts(session: Session, brand_id: int, language: str, limit: int) -> list[str]:
    """Give the newest complaints and questions of a brand in a language."""
    query = (
        sa.select(Post.text)
        .join(PostTopic, PostTopic.post_id == Post.id)
        .where(PostTopic.brand_id == brand_id, Post.language == language)
        .order_by(PostTopic.post_id.desc())
        .limit(limit)
    )
    return list(session.scalars(query))


def list_topic_texts(session: Session, topic_id: int, limit: int) -> list[tuple[str | None, str]]:
    """Give (language, text) of a topic's newest posts."""
    query = (
        sa.select(Post.language, Post.text)
        .join(PostTopic, PostTopic.post_id == Post.id)
        .where(PostTopic.topic_id == topic_id)
        .order_by(PostTopic.created_at.desc(), PostTopic.post_id.desc())
        .limit(limit)
    )
    return [(language, text) for language, text in session.execute(query)]


def count_topics(session: Session, brand_id: int, since: datetime, until: datetime) -> list[TopicCount]:
    """Count the posts of a brand's topics in a period by sentiment; a person's correction goes before the tag."""
    fix = aliased(Correction, name="fix")
    sentiment = sa.case(
        (fix.value[0].as_string().is_not(None), fix.value[0].as_string()),
        (PostTags.sentiment_unsure.is_(True), UNSURE),
        else_=PostTags.sentiment_label,
    )
    query = (
        sa.select(PostTopic.topic_id, sentiment.label("sentiment"), sa.func.count())
        .join(PostTags, sa.and_(PostTags.brand_id == PostTopic.brand_id, PostTags.post_id == PostTopic.post_id))
        .outerjoin(
            fix,
            sa.and_(
                fix.brand_id == PostTopic.brand_id, fix.post_id == PostTopic.post_id, fix.task == "sentiment"
            ),
        )
        .where(
            PostTopic.brand_id == brand_id,
            PostTopic.topic_id.is_not(None),
            PostTopic.created_at >= since,
            PostTopic.created_at < until,
        )
        # By position: PostgreSQL does not see that two expressions with parameters are the same.
        .group_by(sa.literal_column("1"), sa.literal_column("2"))
    )  # fmt: skip
    return [TopicCount(topic_id, label, posts) for topic_id, label, posts in session.execute(query) if topic_id]


def count_unplaced(session: Session, brand_id: int, since: datetime, until: datetime) -> tuple[int, int]:
    """Give how many complaints and questions of a period stand in no topic, and how many there are in all."""
    row = session.execute(
        sa.select(sa.func.count().filter(PostTopic.topic_id.is_(None)), sa.func.count()).where(
            PostTopic.brand_id == brand_id, PostTopic.created_at >= since, PostTopic.created_at < until
        )
    ).one()
    return int(row[0]), int(row[1])


def list_examples(
    session: Session, topic_ids: Sequence[int], since: datetime, until: datetime, each: int = 3
) -> list[Example]:
    """Give the posts of a period that lay nearest each topic's centre, the nearest first."""
    rank = (
        sa.func.row_number()
        .over(partition_by=PostTopic.topic_id, order_by=(PostTopic.similarity.desc(), PostTopic.post_id))
        .label("rank")
    )
    picked = (
        sa.select(PostTopic.topic_id, PostTopic.post_id, rank)
        .where(
            is_one_of(session, PostTopic.topic_id, topic_ids),
            PostTopic.created_at >= since,
            PostTopic.created_at < until,
        )
        .subquery()
    )
    query = (
        sa.select(picked.c.topic_id, Post.id, Post.conversation_id, Post.language, Post.text, Post.created_at)
        .join(Post, Post.id == picked.c.post_id)
        .where(picked.c.rank <= each)
        .order_by(picked.c.topic_id, picked.c.rank)
    )
    return [Example(*row) for row in session.execute(query)]
