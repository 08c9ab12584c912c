"""Sources, their polls, and what could not be read."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from inbox.store.tables.base import Base
from inbox.store.types import BigId, SourceState, text_enum


class Source(Base):
    """A channel account or a listening query, on one connector.

    `config` holds the connector's settings without secrets; `secrets` the secret ones, encrypted as one JSON
    text (see inbox/store/secrets.py). `cursor` is opaque text of the connector.
    """

    __tablename__ = "source"
    __table_args__ = (
        sa.UniqueConstraint("brand_id", "name"),
        sa.Index("ix_source_due", "state", "next_poll_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    brand_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("brand.id"))
    network: Mapped[str]
    kind: Mapped[str]  # connectors.base.SourceKind
    name: Mapped[str]
    config: Mapped[dict[str, Any]] = mapped_column(default=dict)
    secrets: Mapped[str | None]
    account_id: Mapped[str | None]  # our external id there, from check()
    account_handle: Mapped[str | None]
    instance: Mapped[str] = mapped_column(default="")
    cursor: Mapped[str | None]
    has_synced: Mapped[bool] = mapped_column(default=False)
    poll_seconds: Mapped[int] = mapped_column(default=120)
    next_poll_at: Mapped[datetime | None]
    last_polled_at: Mapped[datetime | None]
    last_ok_at: Mapped[datetime | None]
    state: Mapped[SourceState] = mapped_column(text_enum(SourceState), default=SourceState.OK)
    state_reason: Mapped[str] = mapped_column(default="")
    state_until: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    can_publish: Mapped[bool] = mapped_column(default=False)
    monthly_budget_micros: Mapped[int | None] = mapped_column(sa.BigInteger)
    created_at: Mapped[datetime]


class PollRun(Base):
    """One poll: what it covered, brought, cost, and how it ended. Coverage is read from these rows."""

    __tablename__ = "poll_run"
    __table_args__ = (sa.Index("ix_poll_run_source_started", "source_id", "started_at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    brand_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("brand.id"))
    source_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("source.id", ondelete="CASCADE"))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    covers_from: Mapped[datetime | None]
    covers_to: Mapped[datetime | None]
    pages: Mapped[int] = mapped_column(default=0)
    fetched: Mapped[int] = mapped_column(default=0)
    stored: Mapped[int] = mapped_column(default=0)
    duplicates: Mapped[int] = mapped_column(default=0)
    quarantined: Mapped[int] = mapped_column(default=0)
    requests: Mapped[int] = mapped_column(default=0)
    cost_micros: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    truncated: Mapped[str | None]
    error_kind: Mapped[str | None]
    error: Mapped[str | None]


class Quarantine(Base):
    """A record that could not be stored, as it came (capped at 64 KB), with the reason in words."""

    __tablename__ = "quarantine"
    __table_args__ = (sa.Index("ix_quarantine_source_created", "source_id", "created_at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    brand_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("brand.id"))
    source_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("source.id", ondelete="CASCADE"))
    external_id: Mapped[str | None]
    raw: Mapped[str]
    reason: Mapped[str]
    created_at: Mapped[datetime]


class RateBucket(Base):
    """A token bucket per account, shared by all processes (connectors/budget.py has the arithmetic)."""

    __tablename__ = "rate_bucket"

    key: Mapped[str] = mapped_column(primary_key=True)
    tokens: Mapped[float]
    refilled_at: Mapped[datetime]
    blocked_until: Mapped[datetime | None]
