"""Rules on tags: a brand's own words that force or forbid a label."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from inbox.store.tables.base import Base
from inbox.store.types import BigId


class TagRule(Base):
    """One rule of a brand (nlp/rules.py says what it means); `position` orders them, the first wins.

    `forces`, `forbids`: labels as "task:label". A rule that is not active is kept and does nothing.
    """

    __tablename__ = "tag_rule"
    __table_args__ = (
        sa.UniqueConstraint("brand_id", "name"),
        sa.Index("ix_tag_rule_order", "brand_id", "position", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    brand_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("brand.id", ondelete="CASCADE"))
    position: Mapped[int]
    name: Mapped[str]
    language: Mapped[str | None]
    terms: Mapped[list[Any]]
    forces: Mapped[list[Any]] = mapped_column(default=list)
    forbids: Mapped[list[Any]] = mapped_column(default=list)
    context: Mapped[list[Any]] = mapped_column(default=list)
    not_with: Mapped[list[Any]] = mapped_column(default=list)
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
