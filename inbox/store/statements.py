"""Statements whose wording differs between SQLite and PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from inbox.store.tables.base import Base

Row = Mapping[str, Any]


def insert_ignoring(session: Session, table: type[Base], rows: Sequence[Row], key: Sequence[str]) -> None:
    """Insert rows, leaving out those whose unique `key` stands already; one executemany."""
    if rows:
        session.connection().execute(conflict_insert(session, table).on_conflict_do_nothing(index_elements=key), rows)


def upsert(
    session: Session, table: type[Base], rows: Sequence[Row], key: Sequence[str], changed: Sequence[str]
) -> None:
    """Insert rows, or set the columns `changed` of those whose unique `key` stands; one executemany."""
    if rows:
        statement = conflict_insert(session, table)
        new = {name: statement.excluded[name] for name in changed}
        session.connection().execute(statement.on_conflict_do_update(index_elements=key, set_=new), rows)


def conflict_insert(session: Session, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """Give an INSERT of this database that knows ON CONFLICT."""
    target = table.__table__
    if not isinstance(target, sa.Table):
        raise TypeError(f"{table} has no table of its own")
    if session.connection().dialect.name == "sqlite":
        return sqlite.insert(target)
    return postgresql.insert(target)
