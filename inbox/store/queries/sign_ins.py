"""Queries about sign-ins: who a token belongs to, devices, and refused attempts."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import SignIn, SignInFailure, User


def sign_in_with_user(session: Session, token_digest: str) -> tuple[SignIn, User] | None:
    """Give a sign-in and its person, None when there is none or the person was switched off."""
    statement = (
        sa.select(SignIn, User)
        .join(User, User.id == SignIn.user_id)
        .where(SignIn.token_digest == token_digest, User.is_active)
    )
    row = session.execute(statement).one_or_none()
    return (row[0], row[1]) if row else None


def sign_ins_of(session: Session, user_id: int) -> Sequence[SignIn]:
    """Give a person's sign-ins, last used first: the device list."""
    statement = sa.select(SignIn).where(SignIn.user_id == user_id).order_by(SignIn.seen_at.desc())
    return session.scalars(statement).all()


def user_by_email(session: Session, email: str) -> User | None:
    """Give a person by e-mail; the e-mail is stored in lower case."""
    return session.scalar(sa.select(User).where(User.email == email))


def count_failures(session: Session, key: str, since: datetime) -> int:
    """Count the refused sign-ins of a key since a moment."""
    statement = sa.select(sa.func.count()).where(SignInFailure.key == key, SignInFailure.at > since)
    return session.scalar(statement) or 0


def has_users(session: Session) -> bool:
    """Whether anybody can sign in at all; if not, the house waits for its first set-up."""
    return session.scalar(sa.select(sa.exists().where(User.is_active))) or False
