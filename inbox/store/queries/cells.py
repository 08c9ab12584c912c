"""Counts posts into cells, and reads cells."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from inbox.store.tables import Brand, Cell, Correction, DirtyBucket, Post, PostTags, Source
from inbox.store.types import PostState

NONE = "none"  # not tagged yet
UNSURE = "unsure"
UNKNOWN_LANGUAGE = "und"
NO_SOURCE = "import"
EMOTIONS = ("anger", "disappointment", "fear", "joy", "gratitude", "surprise")
MEASURES = (*EMOTIONS, "emotion_unsure", "toxic", "toxicity_unsure", "urgent", "urgency_unsure")
TOXIC, TOXIC_FROM = "toxic", 0.5
CORRECTED = ("sentiment", "intents", "language", "emotion", "toxicity", "urgency")
URGENT = ("2", "3")
DIMENSIONS = ("network", "language", "source_kind", "sentiment", "intent")


@dataclass(frozen=True, slots=True, order=True)
class Bucket:
    """A brand's day."""

    brand_id: int
    day: date


def find_time_zone(session: Session, brand_id: int) -> str | None:
    """Give the name of a brand's time zone."""
    return session.scalar(sa.select(Brand.timezone).where(Brand.id == brand_id))


def list_dirty(session: Session, limit: int) -> list[Bucket]:
    """Give the days to be recounted, the longest waiting first."""
    query = (
        sa.select(DirtyBucket.brand_id, DirtyBucket.day)
        .group_by(DirtyBucket.brand_id, DirtyBucket.day)
        .order_by(sa.func.min(DirtyBucket.changed_at), DirtyBucket.brand_id, DirtyBucket.day)
        .limit(limit)
    )
    return [Bucket(row[0], row[1]) for row in session.execute(query)]


def take_dirty(session: Session, bucket: Bucket) -> list[int]:
    """Give a bucket's marks, the bucket kept from other recounts until the commit; none when another is at it."""
    if session.connection().dialect.name != "sqlite":
        # A lock on the bucket and not on its marks: those who mark it meanwhile do not wait.
        key = sa.func.hashtextextended(f"recount {bucket.brand_id} {bucket.day}", 0)
        if not session.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(key))):
            return []
    query = sa.select(DirtyBucket.generation).where(
        DirtyBucket.brand_id == bucket.brand_id, DirtyBucket.day == bucket.day
    )
    return list(session.scalars(query))


def count_posts(session: Session, brand_id: int, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
    """Count a brand's posts from start until before end into cells; a person's correction goes before the tag."""
    fixes = {task: aliased(Correction, name=f"fix_{task}") for task in CORRECTED}
    sentiment, intent, language = fixes["sentiment"], fixes["intents"], fixes["language"]
    columns = {
        "network": Post.network,
        "language": sa.func.coalesce(language.value[0].as_string(), Post.language, UNKNOWN_LANGUAGE),
        "source_kind": sa.func.coalesce(Source.kind, NO_SOURCE),
        "sentiment": sa.case(
            (sentiment.value[0].as_string().is_not(None), sentiment.value[0].as_string()),
            (PostTags.post_id.is_(None), NONE),
            (PostTags.sentiment_unsure.is_(True), UNSURE),
            else_=PostTags.sentiment_label,
        ),
        # Labels stand likeliest first (inbox/listening/tagging.py).
        "intent": sa.case(
            (intent.value[0].as_string().is_not(None), intent.value[0].as_string()),
            (PostTags.post_id.is_(None), NONE),
            (PostTags.intents_unsure.is_(True), UNSURE),
            else_=sa.func.coalesce(PostTags.intent_labels[0].as_string(), "other"),
        ),
    }
    query: Any = (
        sa.select(
            *(column.label(name) for name, column in columns.items()),
            sa.func.count().label("posts"),
            sa.func.count(Post.author_id.distinct()).label("authors"),
            sa.func.sum(Post.audience).label("audience"),
            *_measures(fixes),
        )
        .select_from(Post)
        .outerjoin(PostTags, sa.and_(PostTags.brand_id == Post.brand_id, PostTags.post_id == Post.id))
        .outerjoin(Source, Source.id == Post.source_id)
        .where(
            Post.brand_id == brand_id,
            Post.created_at >= start,
            Post.created_at < end,
            Post.is_own.is_(False),
            Post.repost_of.is_(None),
            Post.state != PostState.IGNORED,
        )
    )
    for task, fix in fixes.items():
        query = query.outerjoin(fix, sa.and_(fix.brand_id == Post.brand_id, fix.post_id == Post.id, fix.task == task))
    # By position: PostgreSQL does not see that two expressions with parameters are the same.
    query = query.group_by(*(sa.literal_column(str(number)) for number in range(1, len(columns) + 1)))
    for row in session.execute(query).mappings():
        yield {**row, **{name: int(row[name] or 0) for name in ("audience", *MEASURES)}}


def _measures(fixes: Mapping[str, type[Correction]]) -> Iterator[sa.Label[int]]:
    # A person's word first; then the machine's where it is sure; untagged posts count nowhere.
    said = {task: fixes[task].value[0].as_string() for task in ("emotion", "toxicity", "urgency")}
    emotion = sa.case(
        (said["emotion"].is_not(None), said["emotion"]),
        (PostTags.emotion_unsure.is_(True), UNSURE),
        else_=PostTags.emotion_label,
    )
    for name in EMOTIONS:
        yield _count_if(name, emotion == name)
    yield _count_if("emotion_unsure", emotion == UNSURE)
    is_sure = PostTags.toxicity_unsure.is_(False)
    toxic = sa.and_(said["toxicity"].is_(None), is_sure, PostTags.toxicity >= TOXIC_FROM)
    yield _count_if("toxic", sa.or_(said["toxicity"] == TOXIC, toxic))
    yield _count_if("toxicity_unsure", said["toxicity"].is_(None), PostTags.toxicity_unsure.is_(True))
    is_sure = PostTags.urgency_unsure.is_(False)
    urgent = sa.and_(said["urgency"].is_(None), is_sure, PostTags.urgency >= int(URGENT[0]))
    yield _count_if("urgent", sa.or_(said["urgency"].in_(URGENT), urgent))
    yield _count_if("urgency_unsure", said["urgency"].is_(None), PostTags.urgency_unsure.is_(True))


def _count_if(name: str, *conditions: sa.ColumnElement[bool]) -> sa.Label[int]:
    return sa.func.sum(sa.case((sa.and_(*conditions), 1), else_=0)).label(name)


@dataclass(frozen=True, slots=True)
class CellFilters:
    """What part of the cells to read; None means all. Days are the brand's own, both ends included."""

    brand_id: int
    first_day: date
    last_day: date
    network: str | None = None
    language: str | None = None
    source_kind: str | None = None


def sum_sentiments(session: Session, filters: CellFilters) -> dict[str, int]:
    """Count posts by sentiment ("unsure" and "none" among them)."""
    return sum_by(session, filters, "sentiment")


def sum_by(session: Session, filters: CellFilters, dimension: str) -> dict[str, int]:
    """Count posts by one of DIMENSIONS."""
    if dimension not in DIMENSIONS:
        raise ValueError(f"cells have no dimension {dimension!r}")
    column = getattr(Cell, dimension)
    query = sa.select(column, sa.func.sum(Cell.posts)).where(*_conditions(filters)).group_by(column)
    return {str(key): int(number) for key, number in session.execute(query)}


def sum_measures(session: Session, filters: CellFilters) -> dict[str, int]:
    """Count posts by MEASURES."""
    columns = (sa.func.coalesce(sa.func.sum(getattr(Cell, name)), 0) for name in MEASURES)
    row = session.execute(sa.select(*columns).where(*_conditions(filters))).one()
    return dict(zip(MEASURES, (int(value) for value in row), strict=True))


def sum_by_day(session: Session, filters: CellFilters) -> dict[date, dict[str, int]]:
    """Count posts by day and sentiment, days without any left out."""
    query = (
        sa.select(Cell.day, Cell.sentiment, sa.func.sum(Cell.posts))
        .where(*_conditions(filters))
        .group_by(Cell.day, Cell.sentiment)
        .order_by(Cell.day)
    )
    days: dict[date, dict[str, int]] = {}
    for day, sentiment, number in session.execute(query):
        days.setdefault(day, {})[sentiment] = int(number)
    return days


def _conditions(filters: CellFilters) -> Sequence[sa.ColumnElement[bool]]:
    conditions = [
        Cell.brand_id == filters.brand_id,
        Cell.day >= filters.first_day,
        Cell.day <= filters.last_day,
    ]
    for name in ("network", "language", "source_kind"):
        wanted = getattr(filters, name)
        if wanted is not None:
            conditions.append(getattr(Cell, name) == wanted)
    return conditions
