"""The first set-up of an installation: the one-time token that opens it, and how far it has got.

The token is printed once by the command line and kept only as a digest. It ends with the first account.
"""

import hashlib
import hmac
import secrets
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.errors import ForbiddenError
from inbox.people.users import create_user
from inbox.store.queries.sign_ins import has_users
from inbox.store.tables import SystemValue, User
from inbox.store.types import Role

TOKEN_KEY = "setup.token"  # noqa: S105 - the name of a row
STEP_KEY = "setup.step"
TOKEN_BYTES = 24


class SetupStep(StrEnum):
    """Where the set-up stands; the step named is the next to do."""

    LANGUAGE = "language"
    ACCOUNT = "account"
    BRAND = "brand"
    SOURCE = "source"
    HOURS = "hours"
    DONE = "done"


def issue_setup_token(session: Session, *, now: datetime) -> str:
    """Give a new token for /setup?token=…; an older one stops working. Only useful while nobody has an account."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    _keep(session, TOKEN_KEY, _digest(token), now)
    return token


def is_setup_token(session: Session, token: str) -> bool:
    """Whether this token opens the set-up."""
    kept = session.get(SystemValue, TOKEN_KEY)
    return kept is not None and not has_users(session) and hmac.compare_digest(kept.value, _digest(token))


def create_first_admin(
    session: Session, *, token: str, email: str, name: str, password: str, language: str, now: datetime
) -> User:
    """Create the administrator and use the token up; of two who try at once one gets a ForbiddenError."""
    spent = session.execute(
        sa.delete(SystemValue)
        .where(SystemValue.key == TOKEN_KEY, SystemValue.value == _digest(token))
        .returning(SystemValue.key)
    ).all()
    if not spent or has_users(session):
        raise ForbiddenError("This set-up link is used up or wrong. Start Ascolto again: it prints a new one.")
    return create_user(session, email=email, name=name, password=password, role=Role.ADMIN, language=language, now=now)


def read_step(session: Session) -> SetupStep:
    """Give the next step of the set-up. An installation with people and no such row was set up otherwise."""
    kept = session.get(SystemValue, STEP_KEY)
    if kept is not None and kept.value in set(SetupStep):
        return SetupStep(kept.value)
    return SetupStep.DONE if has_users(session) else SetupStep.LANGUAGE


def save_step(session: Session, step: SetupStep, *, now: datetime) -> None:
    """Remember the next step, so that the set-up goes on where it was left."""
    _keep(session, STEP_KEY, step.value, now)


def _keep(session: Session, key: str, value: str, now: datetime) -> None:
    kept = session.get(SystemValue, key)
    if kept is None:
        session.add(SystemValue(key=key, value=value, changed_at=now))
    else:
        kept.value, kept.changed_at = value, now
    session.flush()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
