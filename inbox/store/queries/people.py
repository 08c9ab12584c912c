"""Reads the people who work here, for the operator."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import User
from inbox.store.types import Role


def list_users(session: Session) -> Sequence[User]:
    """Give everybody, active or not, by e-mail."""
    return session.scalars(sa.select(User).order_by(User.email)).all()


def active_admins(session: Session) -> Sequence[User]:
    """Give the administrators who can sign in."""
    return session.scalars(
        sa.select(User).where(User.role == Role.ADMIN, User.is_active.is_(True)).order_by(User.id)
    ).all()
