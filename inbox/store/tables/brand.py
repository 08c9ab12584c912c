"""Brands: our own and the competitors we compare ourselves with."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from inbox.store.tables.base import Base
from inbox.store.types import BigId


class Brand(Base):
    """A brand. `competitor_of` is the own brand it competes with, None for our own.

    `terms`, `products`: lists of {"name", "forms"[, "context", "not_with", "capital_is_enough"]}; `business_hours`:
    weekday "0".."6" → [["09:00","17:00"]] in `timezone`; `holidays`: ISO dates.
    """

    __tablename__ = "brand"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    competitor_of: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("brand.id"))
    languages: Mapped[list[Any]] = mapped_column(default=lambda: ["it", "en"])
    timezone: Mapped[str] = mapped_column(default="Europe/Rome")
    terms: Mapped[list[Any]] = mapped_column(default=list)
    products: Mapped[list[Any]] = mapped_column(default=list)
    business_hours: Mapped[dict[str, Any]] = mapped_column(default=dict)
    holidays: Mapped[list[Any]] = mapped_column(default=list)
    own_handles: Mapped[dict[str, Any]] = mapped_column(default=dict)  # network → our handles, without @
    first_response_minutes: Mapped[int] = mapped_column(default=60)
    is_demo: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
