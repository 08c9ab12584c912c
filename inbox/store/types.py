"""Column types and states shared by the tables."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator

# SQLite gives ROWID ids only to INTEGER PRIMARY KEY; PostgreSQL wants BIGINT.
BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

NAIVE = "a naive datetime reached the store; times must be aware"
_TEXT_LENGTH = len("2026-11-01 09:00:00.000000")


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes in and out; SQLite keeps them as naive UTC text. Naive values are refused.

    On SQLite the text is written and read here, not by SQLAlchemy's type below: at thousands of posts a second
    the way through both would be the dearest part of a row.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """Give the function that makes a value the driver's."""
        return _to_sqlite if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """Give the function that makes the driver's value ours."""
        return _from_sqlite if dialect.name == "sqlite" else super().result_processor(dialect, coltype)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times; hand the database UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(NAIVE)
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def _to_sqlite(value: datetime | None) -> str | None:
    """Give "2026-11-01 09:00:00.000000", as SQLAlchemy's own type writes it."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(NAIVE)
    return value.astimezone(UTC).isoformat(" ", "microseconds")[:_TEXT_LENGTH]


def _from_sqlite(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)


def text_enum(states: type[StrEnum]) -> sa.Enum:
    """Give a StrEnum stored by value as text (no database enum, so that states can grow)."""
    return sa.Enum(
        states,
        native_enum=False,
        create_constraint=False,
        length=24,
        values_callable=lambda members: [str(member.value) for member in members],
    )


JsonDict = dict[str, Any]
JsonList = list[Any]


class PostState(StrEnum):
    """A post's way (architecture.md, 2)."""

    NEW = "new"
    TAGGED = "tagged"
    ROUTED = "routed"
    IGNORED = "ignored"


class ConversationState(StrEnum):
    """Where a conversation stands."""

    OPEN = "open"
    PENDING = "pending"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


class ReplyState(StrEnum):
    """Where one of our replies stands. `dry_run` stopped just before the network: nobody outside has seen it."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DRY_RUN = "dry_run"
    FAILED = "failed"
    UNKNOWN = "unknown"


class AttemptOutcome(StrEnum):
    """What is known of one call to a network. `started` with no process behind it means a crash."""

    STARTED = "started"
    SENT = "sent"
    FAILED = "failed"
    AMBIGUOUS = "ambiguous"
    FOUND = "found"  # read back: it had been sent
    ABSENT = "absent"  # read back: it had not
    DRY_RUN = "dry_run"


class SourceState(StrEnum):
    """A source's health."""

    OK = "ok"
    LAGGING = "lagging"
    RATE_LIMITED = "rate_limited"
    AUTH_NEEDED = "auth_needed"
    GONE = "gone"
    PAUSED = "paused"
    OVER_BUDGET = "over_budget"


class SlaState(StrEnum):
    """Where a conversation's first-response clock stands."""

    NONE = "none"
    ACTIVE = "active"
    HIT = "hit"
    MISSED = "missed"
    PAUSED = "paused"


class Role(StrEnum):
    """What a user may do."""

    AGENT = "agent"
    APPROVER = "approver"
    MANAGER = "manager"
    ADMIN = "admin"
    READ_ONLY = "read_only"


class AdaptationState(StrEnum):
    """Where a brand's adaptation stands. `superseded`: a later one took its place; undoing that brings it back."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    UNDONE = "undone"
    REJECTED = "rejected"
