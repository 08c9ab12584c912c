"""Reads how all sources are doing, in a handful of statements whatever their number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import Brand, PollRun, PostSource, Quarantine, Source

DAY = timedelta(hours=24)
QUARANTINE_DAYS = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """One source's health. Costs are millionths of a US dollar in the calendar month (UTC)."""

    source: Source
    brand: Brand
    posts_today: int  # found in the last 24 hours
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
    posts = _count(session, PostSource.source_id, PostSource.first_seen_at >= now - DAY, ids)
    quarantined = _count(session, Quarantine.source_id, Quarantine.created_at >= now - QUARANTINE_DAYS, ids)
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


def _count(
    session: Session, column: sa.orm.InstrumentedAttribute[int] | sa.orm.InstrumentedAttribute[int | None],
    condition: sa.ColumnElement[bool], ids: Sequence[int],
) -> dict[int, int]:  # fmt: skip
    query = sa.select(column, sa.func.count()).where(column.in_(ids), condition).group_by(column)
    return {int(key): int(number) for key, number in session.execute(query) if key is not None}


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
