"""Queries about the installation as a whole."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import Brand, SystemValue, Tombstone

PUBLISHING_PAUSED = "publishing.paused"


def home_zone(session: Session) -> str | None:
    """Give the time zone of the first brand of our own."""
    statement = sa.select(Brand.timezone).where(Brand.competitor_of.is_(None)).order_by(Brand.id).limit(1)
    return session.scalar(statement)


def is_anything_erased(session: Session) -> bool:
    """Whether any brand has tombstones."""
    return session.scalar(sa.select(sa.exists().select_from(Tombstone))) or False


def has_demo_brand(session: Session) -> bool:
    """Whether there is demo data here."""
    return session.scalar(sa.select(sa.exists().where(Brand.is_demo))) or False


def is_publishing_paused(session: Session) -> bool:
    """Whether publishing waits for a person, as after a restore."""
    value = session.get(SystemValue, PUBLISHING_PAUSED)
    return value is not None and value.value not in {"", "0", "false"}
