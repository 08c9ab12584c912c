"""Adaptations: what a brand's corrections changed in how the machine's scores are read."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from inbox.store.tables.base import Base
from inbox.store.types import AdaptationState, BigId, text_enum

_IS_ACTIVE = sa.text("state = 'active'")


class Adaptation(Base):
    """One refit for one brand, numbered from 1 within it; at most one is active.

    `base` names the tagger it lies over: over any other it means nothing and is not used. `shifts` is what it changes
    (nlp.adapt.Adaptation as JSON), `report` what it was measured to do, by task, on corrections held back. `newest_at`
    is the newest correction it has seen. `replaced` is the version that was active before it, for going back.
    """

    __tablename__ = "adaptation"
    __table_args__ = (
        sa.UniqueConstraint("brand_id", "version"),
        sa.Index("uq_adaptation_active", "brand_id", unique=True, sqlite_where=_IS_ACTIVE, postgresql_where=_IS_ACTIVE),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    brand_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("brand.id", ondelete="CASCADE"))
    version: Mapped[int]
    base: Mapped[str]
    state: Mapped[AdaptationState] = mapped_column(text_enum(AdaptationState))
    shifts: Mapped[dict[str, Any]]
    report: Mapped[dict[str, Any]]
    corrections: Mapped[int]  # gold labels it was fitted on, over all tasks
    newest_at: Mapped[datetime]
    replaced: Mapped[int | None]
    created_at: Mapped[datetime]
    created_by: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("user.id", ondelete="SET NULL"))
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("user.id", ondelete="SET NULL"))
