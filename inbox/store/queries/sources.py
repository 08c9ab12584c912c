"""Reads sources, their polls and their cost."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import Brand, PollRun, Quarantine, Source
from inbox.store.types import SourceState

POLLED = (SourceState.OK, SourceState.LAGGING, SourceState.RATE_LIMITED, SourceState.OVER_BUDGET)
MOST_RUNS = 500  # of one walk: what a poll looks back at


def get_source(session: Session, source_id: int, *, for_update: bool = False) -> Source | None:
    """Give a source; locked against another poll's writes if asked."""
    return session.get(Source, source_id, with_for_update=for_update or None, populate_existing=for_update)


def lock_network(session: Session, network: str) -> Sequence[Source]:
    """Give all sources of a network that hold credentials, locked, always in the same order."""
    query = sa.select(Source).where(Source.network == network, Source.secrets.is_not(None)).order_by(Source.id)
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).all()


def find_source(session: Session, brand_id: int, name: str) -> Source | None:
    """Give a brand's source by its name."""
    return session.scalar(sa.select(Source).where(Source.brand_id == brand_id, Source.name == name))


def list_sources(session: Session, brand_id: int | None = None) -> Sequence[Source]:
    """Give the sources of a brand, or of all, by name."""
    query = sa.select(Source).order_by(Source.brand_id, Source.name, Source.id)
    if brand_id is not None:
        query = query.where(Source.brand_id == brand_id)
    return session.scalars(query).all()


def list_polled(session: Session) -> Sequence[Source]:
    """Give the sources that have a poll coming: neither paused, gone nor waiting for new credentials."""
    query = sa.select(Source).where(Source.state.in_(POLLED)).order_by(Source.id)
    return session.scalars(query).all()


def list_due_sources(session: Session, now: datetime, limit: int = 100) -> list[int]:
    """Give the sources whose next poll has come, the longest waiting first."""
    query = (
        sa.select(Source.id)
        .where(Source.state.in_(POLLED), sa.or_(Source.next_poll_at.is_(None), Source.next_poll_at <= now))
        .order_by(Source.next_poll_at, Source.id)
        .limit(limit)
    )
    return list(session.scalars(query))


def list_own_accounts(session: Session, brand_id: int) -> list[tuple[str, str, str]]:
    """Give (network, instance, account id) of every account the brand's sources read as."""
    query = sa.select(Source.network, Source.instance, Source.account_id).where(
        Source.brand_id == brand_id, Source.account_id.is_not(None)
    )
    return [(network, instance, account) for network, instance, account in session.execute(query) if account]


def list_own_handles(session: Session, brand_id: int) -> frozenset[tuple[str, str]]:
    """Give (network, handle in lower case) of the accounts a brand names as its own."""
    named = session.scalar(sa.select(Brand.own_handles).where(Brand.id == brand_id)) or {}
    return frozenset(
        (network, str(handle).lstrip("@").lower()) for network, handles in named.items() for handle in handles
    )


def sum_cost(session: Session, source_id: int, since: datetime) -> int:
    """Give what a source has cost since then, in millionths of a US dollar."""
    query = sa.select(sa.func.coalesce(sa.func.sum(PollRun.cost_micros), 0)).where(
        PollRun.source_id == source_id, PollRun.started_at >= since
    )
    return int(session.scalar(query) or 0)


def list_poll_runs(session: Session, source_id: int, limit: int = 50) -> Sequence[PollRun]:
    """Give a source's latest polls, newest first."""
    query = (
        sa.select(PollRun)
        .where(PollRun.source_id == source_id)
        .order_by(PollRun.started_at.desc(), PollRun.id.desc())
        .limit(limit)
    )
    return session.scalars(query).all()


def list_quarantined(session: Session, source_id: int, limit: int = 50) -> Sequence[Quarantine]:
    """Give a source's latest quarantined records, newest first."""
    query = (
        sa.select(Quarantine)
        .where(Quarantine.source_id == source_id)
        .order_by(Quarantine.created_at.desc(), Quarantine.id.desc())
        .limit(limit)
    )
    return session.scalars(query).all()


def walk_began(session: Session, source_id: int) -> datetime | None:
    """Give when the first of the polls began that left a walk through the pages unfinished, if the latest did.

    Such polls vouch for no stretch of time; those that failed before their first page are passed over.
    """
    latest = (
        sa.select(PollRun.started_at, PollRun.covers_to, PollRun.error_kind, PollRun.pages)
        .where(PollRun.source_id == source_id, PollRun.finished_at.is_not(None))
        .order_by(PollRun.started_at.desc(), PollRun.id.desc())
        .limit(MOST_RUNS)
    )
    began = None
    for started_at, covers_to, error_kind, pages in session.execute(latest):
        if covers_to is not None:
            break
        if error_kind is None or pages:
            began = started_at
    return began


def list_unfinished_runs(session: Session, source_id: int) -> Sequence[PollRun]:
    """Give polls of a source that were opened and never closed: their process died."""
    query = sa.select(PollRun).where(PollRun.source_id == source_id, PollRun.finished_at.is_(None))
    return session.scalars(query).all()
