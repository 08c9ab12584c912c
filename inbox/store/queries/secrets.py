"""Finds everything that is encrypted with the installation's keys."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import Source, SystemValue

TOMBSTONE_KEY = "tombstone.key"


def encrypted_values(session: Session) -> Sequence[SystemValue]:
    """Give the facts about the installation that are encrypted."""
    return session.scalars(sa.select(SystemValue).where(SystemValue.key == TOMBSTONE_KEY)).all()


def sources_with_secrets(session: Session) -> Sequence[Source]:
    """Give the sources that hold encrypted credentials."""
    return session.scalars(sa.select(Source).where(Source.secrets.is_not(None)).order_by(Source.id)).all()
