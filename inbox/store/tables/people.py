"""People: identities on networks, and the contacts behind them."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from inbox.store.tables.base import Base
from inbox.store.types import BigId


class Contact(Base):
    """A person. `custom` bends to the company: whatever fields it keeps."""

    __tablename__ = "contact"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    brand_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("brand.id"))
    name: Mapped[str]
    is_vip: Mapped[bool] = mapped_column(default=False)
    custom: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime]


class Identity(Base):
    """An account on a network, ours (`is_own`) or somebody's."""

    __tablename__ = "identity"
    __table_args__ = (
        sa.UniqueConstraint("brand_id", "network", "instance", "external_id", name="uq_identity_account"),
        sa.Index("ix_identity_handle", "brand_id", sa.text("lower(handle)")),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    brand_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("brand.id"))
    network: Mapped[str]
    instance: Mapped[str] = mapped_column(default="")
    external_id: Mapped[str]
    handle: Mapped[str]
    display_name: Mapped[str] = mapped_column(default="")
    url: Mapped[str | None]
    avatar_url: Mapped[str | None]
    followers: Mapped[int | None]
    is_verified: Mapped[bool] = mapped_column(default=False)
    is_own: Mapped[bool] = mapped_column(default=False)
    contact_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey("contact.id", ondelete="SET NULL"))
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
