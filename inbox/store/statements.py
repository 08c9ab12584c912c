"""Statements whose wording differs between SQLite and PostgreSQL."""

import json
from collections.abc import Iterable, Mapping, Sequence
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


def table_of(model: type[Base]) -> sa.Table:
    """Give a model's table, for statements that need no objects."""
    table = model.__table__
    if not isinstance(table, sa.Table):
        raise TypeError(f"{model} has no table of its own")
    return table


def conflict_insert(session: Session, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """Give an INSERT of this database that knows ON CONFLICT."""
    if session.connection().dialect.name == "sqlite":
        return sqlite.insert(table_of(table))
    return postgresql.insert(table_of(table))


def is_one_of(
    session: Session, column: sa.orm.InstrumentedAttribute[Any], values: Iterable[str] | Iterable[int]
) -> sa.ColumnElement[bool]:
    """Give the condition that a column holds one of many values, bound as one: any number of them, planned once."""
    wanted = list(values)
    if session.connection().dialect.name == "sqlite":
        return column.in_(sa.select(sa.func.json_each(json.dumps(wanted)).table_valued("value").c.value))
    kind = sa.BigInteger() if isinstance(column.type, sa.Integer) else sa.Text()
    return column == sa.any_(sa.cast(wanted, postgresql.ARRAY(kind)))
