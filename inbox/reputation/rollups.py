"""Roll-ups: days that changed are marked in the changing transaction, and their cells counted anew by a tick.

A day is recounted whole, so that retries, edits, corrections and erasure need no arithmetic of their own. A mark
is a row of its own, so that transactions which change the same day never wait for each other; a recount removes
the marks it has read before it counted, and no others.
"""

import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.queries import cells
from inbox.store.queries.cells import Bucket
from inbox.store.statements import insert_ignoring
from inbox.store.tables import Cell, DirtyBucket


def mark_dirty(session: Session, brand_id: int, created_ats: Iterable[datetime], now: datetime) -> None:
    """Mark the days of these posts to be recounted, in the transaction that changes them; call it near its end."""
    times = set(created_ats)
    if not times:
        return
    zone = zone_of(session, brand_id)
    days = sorted({moment.astimezone(zone).date() for moment in times})
    # SQLite has one writer at a time: what stands there is unread, and one mark will do.
    is_alone = session.connection().dialect.name == "sqlite"
    mark = 0 if is_alone else secrets.randbits(62)
    rows = [{"brand_id": brand_id, "day": day, "generation": mark, "changed_at": now} for day in days]
    insert_ignoring(session, DirtyBucket, rows, ("brand_id", "day", "generation"))


def due_buckets(session: Session, limit: int = 100) -> list[Bucket]:
    """Give the days waiting for a recount, the longest waiting first."""
    return cells.list_dirty(session, limit)


def recompute(session: Session, buckets: Sequence[Bucket], now: datetime) -> int:
    """Count these days anew; gives how many were. A day another process is at is left to it. Safe to repeat."""
    del now  # cells hold no time of their own; the argument keeps all steps alike
    done = 0
    zones: dict[int, ZoneInfo] = {}
    for bucket in sorted(set(buckets)):
        marks = cells.take_dirty(session, bucket)
        if not marks:
            continue
        zone = zones.setdefault(bucket.brand_id, zone_of(session, bucket.brand_id))
        start, end = day_bounds(bucket.day, zone)
        rows = [
            {"brand_id": bucket.brand_id, "day": bucket.day, **count}
            for count in cells.count_posts(session, bucket.brand_id, start, end)
        ]
        session.execute(sa.delete(Cell).where(Cell.brand_id == bucket.brand_id, Cell.day == bucket.day))
        if rows:
            session.execute(sa.insert(Cell), rows)
        session.execute(
            sa.delete(DirtyBucket).where(
                DirtyBucket.brand_id == bucket.brand_id,
                DirtyBucket.day == bucket.day,
                DirtyBucket.generation.in_(marks),
            )
        )
        done += 1
    return done


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Give the first moment of a day in a zone and of the next, in UTC; 23 to 25 hours apart."""
    start = datetime.combine(day, time(), zone)
    end = datetime.combine(day + timedelta(days=1), time(), zone)
    return start.astimezone(UTC), end.astimezone(UTC)


def zone_of(session: Session, brand_id: int) -> ZoneInfo:
    """Give a brand's time zone; UTC when its name is unknown here."""
    name = cells.find_time_zone(session, brand_id)
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
