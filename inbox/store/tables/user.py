"""Users, teams and sign-in sessions."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from inbox.store.tables.base import Base
from inbox.store.types import BigId, Role, text_enum


class User(Base):
    """Someone who works here. `password_hash` is argon2id; `language` "it" or "en"; `theme` auto, light or dark."""

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[Role] = mapped_column(text_enum(Role), default=Role.AGENT)
    password_hash: Mapped[str]
    language: Mapped[str] = mapped_column(default="en")
    theme: Mapped[str] = mapped_column(default="auto")
    has_shortcuts: Mapped[bool] = mapped_column(default=True)
    is_active: Mapped[bool] = mapped_column(default=True)
    is_away: Mapped[bool] = mapped_column(default=False)
    max_open: Mapped[int] = mapped_column(default=40)
    last_assigned_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Team(Base):
    """A group conversations can be routed to."""

    __tablename__ = "team"
    __table_args__ = (sa.UniqueConstraint("brand_id", "name"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    brand_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("brand.id"))
    name: Mapped[str]


class TeamMember(Base):
    """Who is in a team."""

    __tablename__ = "team_member"

    team_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("team.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)


class SignIn(Base):
    """A signed-in browser: the SHA-256 of its token, sliding and absolute end, what it is for the device list."""

    __tablename__ = "sign_in"

    token_digest: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("user.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    user_agent: Mapped[str] = mapped_column(default="")


class SignInFailure(Base):
    """A refused sign-in, for slowing down guessing. `key` is a digest of the e-mail or the address."""

    __tablename__ = "sign_in_failure"
    __table_args__ = (sa.Index("ix_sign_in_failure_key", "key", "at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str]
    at: Mapped[datetime]


class SystemValue(Base):
    """A small fact about this installation: publishing paused, set-up token, key fingerprint."""

    __tablename__ = "system_value"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
    changed_at: Mapped[datetime]
