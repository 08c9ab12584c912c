"""Statements whose wording differs between SQLite and PostgreSQL."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from inbox.store.rows import Row, defaults_missing, insert_rows
from inbox.store.tables.base import Base


def insert_ignoring(session: Session, table: type[Base], rows: Sequence[Row], key: Sequence[str]) -> None:
    """Insert rows, leaving out those whose unique `key` stands already; one executemany."""
    if not rows:
        return
    if defaults_missing(table_of(table), list(rows[0])):
        session.connection().execute(conflict_insert(session, table).on_conflict_do_nothing(index_elements=key), rows)
    else:
        insert_rows(session, table_of(table), rows, key=key)


def upsert(
    session: Session, table: type[Base], rows: Sequence[Row], key: Sequence[str], changed: Sequence[str]
) -> None:
    """Insert rows, or set the columns `changed` of those whose unique `key` stands; one executemany."""
    insert_rows(session, table_of(table), rows, key=key, changed=changed)


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


def expire_loaded(session: Session, model: type[Base], ids: Iterable[int]) -> None:
    """Make objects the caller holds read anew what was changed behind their back."""
    wanted = set(ids)
    for loaded in list(session.identity_map.values()):
        if isinstance(loaded, model) and not wanted.isdisjoint(sa.inspect(loaded).identity or ()):
            session.expire(loaded)
