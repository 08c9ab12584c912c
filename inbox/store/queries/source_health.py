"""Reads how all sources are doing, in a handful of statements whatever their number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import Brand, PollRun, Post, PostSource, Quarantine, Source

DAY = timedelta(hours=24)
QUARANTINE_DAYS = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """One source's health. Costs are millionths of a US dollar in the calendar month (UTC)."""

    source: Source
    brand: Brand
    posts_today: int  # written in the last 24 hours
    cost_micros: int
    last_run: PollRun | None
    quarantined: int  # in the last 7 days

    @property
    def budget_left_micros(self) -> int | None:
        """What is left of the month's budget; None where none is set."""
        budget = self.source.monthly_budget_micros
        return None if budget is None else max(budget - self.cost_micros, 0)

    def lag(self, now: datetime) -> timedelta | None:
        """How long ago the last successful reading was; None if there never was one."""
        return None if self.source.last_ok_at is None else max(now - self.source.last_ok_at, timedelta())


def read_health(session: Session, *, now: datetime, source_id: int | None = None) -> Sequence[SourceHealth]:
    """Give the health of all sources (or one), our own brands first."""
    query = sa.select(Source, Brand).join(Brand, Brand.id == Source.brand_id)
    if source_id is not None:
        query = query.where(Source.id == source_id)
    rows = session.execute(query.order_by(Brand.competitor_of.is_not(None), Brand.name, Source.name)).all()
    ids = [row[0].id for row in rows]
    posts = _count_posts(session, ids, since=now - DAY)
    quarantined = _count_quarantined(session, ids, since=now - QUARANTINE_DAYS)
    costs = _costs(session, ids, month_start(now))
    runs = _last_runs(session, ids)
    return [
        SourceHealth(
            source=source,
            brand=brand,
            posts_today=posts.get(source.id, 0),
            cost_micros=costs.get(source.id, 0),
            last_run=runs.get(source.id),
            quarantined=quarantined.get(source.id, 0),
        )
        for source, brand in rows
    ]


def month_start(now: datetime) -> datetime:
    """Give the beginning of the calendar month that budgets are counted in (UTC)."""
    return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _count_quarantined(session: Session, ids: Sequence[int], *, since: datetime) -> dict[int, int]:
    query = (
        sa.select(Quarantine.source_id, sa.func.count())
        .where(Quarantine.source_id.in_(ids), Quarantine.created_at >= since)
        .group_by(Quarantine.source_id)
    )
    return {int(key): int(number) for key, number in session.execute(query) if key is not None}


def _count_posts(session: Session, ids: Sequence[int], *, since: datetime) -> dict[int, int]:
    query = (
        sa.select(PostSource.source_id, sa.func.count())
        .join(Post, Post.id == PostSource.post_id)
        .where(PostSource.source_id.in_(ids), Post.created_at >= since, PostSource.brand_id == Post.brand_id)
        .group_by(PostSource.source_id)
    )
    return {int(key): int(number) for key, number in session.execute(query)}


def _costs(session: Session, ids: Sequence[int], since: datetime) -> dict[int, int]:
    query = (
        sa.select(PollRun.source_id, sa.func.sum(PollRun.cost_micros))
        .where(PollRun.source_id.in_(ids), PollRun.started_at >= since)
        .group_by(PollRun.source_id)
    )
    return {int(key): int(cost or 0) for key, cost in session.execute(query)}


def _last_runs(session: Session, ids: Sequence[int]) -> dict[int, PollRun]:
    latest = sa.select(sa.func.max(PollRun.id)).where(PollRun.source_id.in_(ids)).group_by(PollRun.source_id)
    return {run.source_id: run for run in session.scalars(sa.select(PollRun).where(PollRun.id.in_(latest)))}
