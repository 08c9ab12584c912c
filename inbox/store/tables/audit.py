"""The audit trail: who did what, append-only and hash-chained."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from inbox.store.tables.base import Base
from inbox.store.types import BigId


class AuditEvent(Base):
    """One step. `digest` covers the event and `previous_digest`; personal data stands by reference only."""

    __tablename__ = "audit_event"
    __table_args__ = (
        sa.Index("ix_audit_event_conversation", "conversation_id", "id"),
        sa.UniqueConstraint("previous_digest"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime]
    user_id: Mapped[int | None] = mapped_column(BigId)  # None: the product itself
    action: Mapped[str]  # "conversation.resolved"
    entity: Mapped[str]
    entity_id: Mapped[int | None] = mapped_column(BigId)
    conversation_id: Mapped[int | None] = mapped_column(BigId)
    before: Mapped[dict[str, Any]] = mapped_column(default=dict)
    after: Mapped[dict[str, Any]] = mapped_column(default=dict)
    previous_digest: Mapped[str]
    digest: Mapped[str]
