"""Counts of what an installation holds."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import AuditEvent, Base, Brand, Conversation, Post, Reply, Source, User

_COUNTED: tuple[type[Base], ...] = (Brand, Source, Post, Conversation, Reply, User, AuditEvent)


def count_rows(session: Session) -> dict[str, int]:
    """Rows by table, for the tables a person would ask about."""
    return {
        table.__tablename__: session.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in _COUNTED
    }
