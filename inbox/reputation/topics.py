"""Topics of a brand: complaints and questions join a known topic, wait for their like, or open a new one.

A post waits in `post_topic` from the moment it is tagged; a tick embeds a batch outside any transaction
(nlp/topics.py does the arithmetic), places it, and looks in the pool for matters not seen before. The pool keeps the
newest POOL posts of a brand and forgets older vectors, so that a hundred thousand posts cost no more memory than a
few thousand. A topic keeps its id; its machine names settle once it stands for SETTLED posts, and a person's name
is never touched.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from inbox import audit
from inbox.errors import InvalidError, NotFoundError
from inbox.store.queries import topics as queries
from inbox.store.queries.brands import read_brand_terms
from inbox.store.queries.topics import WaitingPost
from inbox.store.statements import insert_ignoring, is_one_of
from inbox.store.tables import PostTopic, Topic
from nlp import topics as arithmetic
from nlp.topics import Background, Centre, TopicSpace, Vectors

TOLD = frozenset({"complaint", "question"})
LANGUAGES = ("it", "en")
POOL = 4000
SETTLED = 20.0
MAX_NAME = 80
_NAMING_POSTS = 300
_BACKGROUND_POSTS = 800
_FEWEST_TO_NAME = 3
_RECENTRE_POSTS = 50
_BETWEEN = " · "


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of a batch, by brand: the topics that posts joined, and how many posts went to the pool."""

    joined: Mapping[int, frozenset[int]]
    pooled: Mapping[int, int]

    @property
    def brand_ids(self) -> tuple[int, ...]:
        """The brands of the batch."""
        return tuple(sorted(self.joined))


def wait_for_topic(session: Session, posts: Iterable[tuple[int, int, datetime]]) -> None:
    """Let posts (brand id, post id, time) wait for their place; those that stand somewhere already stay there."""
    rows = [
        {"brand_id": brand_id, "post_id": post_id, "created_at": created_at, "topic_id": None, "space": None,
         "similarity": None, "vector": None}
        for brand_id, post_id, created_at in posts
    ]  # fmt: skip
    insert_ignoring(session, PostTopic, rows, ("brand_id", "post_id"))


def leave_topic(session: Session, brand_id: int, post_id: int) -> None:
    """Take a post out of the topics: it neither complains nor asks after all."""
    session.execute(sa.delete(PostTopic).where(PostTopic.brand_id == brand_id, PostTopic.post_id == post_id))


def list_waiting(session: Session, limit: int) -> list[WaitingPost]:
    """Give posts whose turn it is, with their texts."""
    return queries.list_waiting(session, limit)


def place_posts(session: Session, posts: Sequence[WaitingPost], points: Vectors, space: TopicSpace) -> Placed:
    """Put posts where their `points` (one row each) say: into the nearest topic, or into the pool. Safe to repeat."""
    by_brand: dict[int, list[int]] = defaultdict(list)
    for row, post in enumerate(posts):
        if post.is_heard:
            by_brand[post.brand_id].append(row)
        else:
            leave_topic(session, post.brand_id, post.post_id)
    joined: dict[int, frozenset[int]] = {}
    pooled: dict[int, int] = {}
    for brand_id in sorted(by_brand):
        _lock(session, brand_id)
        rows = by_brand[brand_id]
        topics = _topics_in(session, brand_id, space)
        here = points[rows]
        places, nearness = arithmetic.assign(here, [_centre(topic) for topic in topics], join=space.join)
        _write_places(session, [posts[row] for row in rows], here, (places, nearness), topics, space)
        for place in np.unique(places[places >= 0]):
            _follow(topics[place], here[places == place])
        joined[brand_id] = frozenset(topics[place].id for place in np.unique(places[places >= 0]))
        pooled[brand_id] = int((places < 0).sum())
    return Placed(joined=joined, pooled=pooled)


def _write_places(
    session: Session,
    posts: Sequence[WaitingPost],
    points: Vectors,
    found: tuple[NDArray[np.int64], Vectors],
    topics: Sequence[Topic],
    space: TopicSpace,
) -> None:
    updates = [
        {
            "brand_id": post.brand_id,
            "post_id": post.post_id,
            "topic_id": topics[place].id if place >= 0 else None,
            "space": space.name,
            "similarity": round(float(nearness), 4) if place >= 0 else None,
            # A text without words lies nowhere, and waits for nobody.
            "vector": point.astype("<f2").tobytes() if place < 0 and point.any() else None,
        }
        for post, point, place, nearness in zip(posts, points, *found, strict=True)
    ]
    standing = {
        key
        for (key,) in session.execute(
            sa.select(PostTopic.post_id).where(is_one_of(session, PostTopic.post_id, [one.post_id for one in posts]))
        )
    }
    # A post may have been erased, or corrected away, since it was read.
    session.execute(sa.update(PostTopic), [one for one in updates if one["post_id"] in standing])


def find_topics(
    session: Session, brand_id: int, space: TopicSpace, now: datetime, *, placed: Placed | None = None
) -> list[int]:
    """Open topics where the pool is dense, join topics that have become one, name the young; gives the new ids.

    `placed` says what has changed since the last look; without it everything is looked at.
    """
    _lock(session, brand_id)
    _recentre(session, brand_id, space)
    pool = queries.list_pool(session, brand_id, POOL)
    _forget_old(session, brand_id, pool)
    opened: list[Topic] = []
    if pool:
        points = np.stack([np.frombuffer(vector, dtype="<f2") for _, vector in pool]).astype(np.float32)
        fresh = placed.pooled.get(brand_id, 0) if placed else None
        for members in arithmetic.find_dense(points, join=space.join, fresh=fresh):
            topic = _open(session, brand_id, points[members], space, now)
            opened.append(topic)
            nearness = points[members] @ _read_centre(topic)
            session.execute(
                sa.update(PostTopic),
                [
                    {
                        "brand_id": brand_id, "post_id": pool[member][0], "topic_id": topic.id, "vector": None,
                        "similarity": round(float(near), 4),
                    }
                    for member, near in zip(members, nearness, strict=True)
                ],
            )  # fmt: skip
    session.flush()
    given_up = _join_same(session, brand_id, space)
    changed = {*placed.joined.get(brand_id, ()), *(topic.id for topic in opened)} if placed else None
    _name_young(session, brand_id, changed)
    return [topic.id for topic in opened if topic.id not in given_up]


def _open(session: Session, brand_id: int, points: Vectors, space: TopicSpace, now: datetime) -> Topic:
    centre = arithmetic.centre_of(points)
    topic = Topic(
        brand_id=brand_id, names={}, space=space.name, centre=_bytes_of(centre), weight=centre.weight, created_at=now
    )
    session.add(topic)
    session.flush()
    return topic


def _forget_old(session: Session, brand_id: int, pool: Sequence[tuple[int, bytes]]) -> None:
    if len(pool) == POOL:
        session.execute(
            sa.update(PostTopic)
            .where(PostTopic.brand_id == brand_id, PostTopic.vector.is_not(None), PostTopic.post_id < pool[-1][0])
            .values(vector=None)
        )


def _recentre(session: Session, brand_id: int, space: TopicSpace) -> None:
    """Carry topics over into a new space: each is where its own posts now lie; the pool is placed anew."""
    topics = queries.list_topics(session, brand_id)
    for topic in topics:
        if topic.space == space.name:
            continue
        texts = [text for _, text in queries.list_topic_texts(session, topic.id, _RECENTRE_POSTS)]
        points = space.embed(texts) if texts else np.zeros((0, 1), dtype=np.float32)
        if points.any():
            topic.centre, topic.space = _bytes_of(arithmetic.centre_of(points)), space.name
    session.execute(
        sa.update(PostTopic)
        .where(PostTopic.brand_id == brand_id, PostTopic.vector.is_not(None), PostTopic.space != space.name)
        .values(space=None, vector=None)
    )


def _join_same(session: Session, brand_id: int, space: TopicSpace) -> set[int]:
    topics = {topic.id: topic for topic in _topics_in(session, brand_id, space)}
    pairs = arithmetic.find_same({key: _centre(topic) for key, topic in topics.items()}, merge=space.merge)
    for kept_id, other_id in pairs:
        kept, other = topics[kept_id], topics[other_id]
        if kept.name is None:
            kept.name = other.name
        kept.names = {**other.names, **kept.names}
        other.merged_into_id = kept_id
        session.execute(sa.update(PostTopic).where(PostTopic.topic_id == other_id).values(topic_id=kept_id))
    return {other_id for _, other_id in pairs}


def _name_young(session: Session, brand_id: int, changed: Collection[int] | None) -> None:
    # Everybody names the brand; what they say of a product is a matter of its own.
    names = [form for kind, _, form in read_brand_terms(session).names() if kind == "brand"]
    backgrounds: dict[str, Background] = {}
    for topic in queries.list_topics(session, brand_id):
        is_named = topic.weight >= SETTLED and set(topic.names) >= set(LANGUAGES)
        if is_named or (changed is not None and topic.id not in changed):
            continue
        texts = queries.list_topic_texts(session, topic.id, _NAMING_POSTS)
        named = dict(topic.names)
        for language in LANGUAGES:
            here = [text for code, text in texts if code == language]
            is_settled = topic.weight >= SETTLED and language in named
            if is_settled or len(here) < _FEWEST_TO_NAME:
                continue
            if language not in backgrounds:
                others = queries.list_texts(session, brand_id, language, _BACKGROUND_POSTS)
                backgrounds[language] = arithmetic.read_background(others, language, avoid=names)
            found = arithmetic.name_topic(here, backgrounds[language])
            if found:
                named[language] = _BETWEEN.join(found)
        if named != topic.names:
            topic.names = named


def name_of(topic: Topic, language: str) -> str:
    """Give a topic's name for a reader of a language: a person's, the machine's in it, or in another; "" for none."""
    return topic.name or topic.names.get(language) or next(iter(topic.names.values()), "")


def rename_topic(session: Session, topic_id: int, name: str, *, user_id: int, now: datetime) -> Topic:
    """Give a topic a person's name; "" gives it back to the machine. InvalidError when it is too long."""
    topic = _get(session, topic_id)
    wanted = " ".join(name.split())
    if len(wanted) > MAX_NAME:
        raise InvalidError("This name is too long.", field="name")
    before, topic.name = topic.name, wanted or None
    _record(session, topic, "topic.renamed", user_id, now, {"name": before}, {"name": topic.name})
    return topic


def mute_topic(session: Session, topic_id: int, *, is_muted: bool, user_id: int, now: datetime) -> Topic:
    """Leave a topic out of the overview, or take it in again; its posts go on joining it."""
    topic = _get(session, topic_id)
    before, topic.muted_at = topic.muted_at is not None, now if is_muted else None
    _record(session, topic, "topic.muted", user_id, now, {"muted": before}, {"muted": is_muted})
    return topic


def _get(session: Session, topic_id: int) -> Topic:
    topic = session.get(Topic, topic_id)
    if topic is None or topic.merged_into_id is not None:
        raise NotFoundError("This topic does not exist.", log_message=f"no topic {topic_id}")
    return topic


def _record(
    session: Session,
    topic: Topic,
    action: str,
    user_id: int,
    now: datetime,
    before: Mapping[str, object],
    after: Mapping[str, object],
) -> None:
    audit.record(
        session,
        now=now,
        action=action,
        entity="topic",
        entity_id=topic.id,
        user_id=user_id,
        before=dict(before),
        after=dict(after),
    )


def _topics_in(session: Session, brand_id: int, space: TopicSpace) -> list[Topic]:
    return [topic for topic in queries.list_topics(session, brand_id) if topic.space == space.name]


def _follow(topic: Topic, points: Vectors) -> None:
    centre = arithmetic.move(_centre(topic), points)
    topic.centre, topic.weight = _bytes_of(centre), centre.weight


def _centre(topic: Topic) -> Centre:
    return Centre(vector=_read_centre(topic), weight=topic.weight)


def _read_centre(topic: Topic) -> Vectors:
    return np.frombuffer(topic.centre, dtype="<f4").astype(np.float32)


def _bytes_of(centre: Centre) -> bytes:
    return centre.vector.astype("<f4").tobytes()


def _lock(session: Session, brand_id: int) -> None:
    """Let one process at a time move a brand's topics; SQLite has one writer anyway."""
    if session.connection().dialect.name != "sqlite":
        key = sa.func.hashtextextended(f"topics {brand_id}", 0)
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
