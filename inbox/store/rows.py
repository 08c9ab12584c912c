"""Many rows in one statement, given to the driver as it wants them.

For thousands of rows SQLAlchemy's own work per parameter costs more than the database. Here a statement is
compiled once, the columns' own types turn the values column by column, and the driver runs one executemany.
What a type does to a value is still said in one place, the type (inbox/store/types.py).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.orm import Session

Row = Mapping[str, Any]
_Convert = Callable[[Any], Any]
_NAMED = re.compile(r"%\((\w+)\)s")
_UNSET = object()
WHERE = "where_"  # before the name of the column an update finds its row by


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement in the driver's words: its parameters in their order, each with what its type does to a value."""

    sql: str
    names: tuple[str, ...]
    converters: tuple[_Convert | None, ...]


def insert_rows(
    session: Session,
    table: sa.Table,
    rows: Sequence[Row],
    *,
    key: Sequence[str] | None = None,
    changed: Sequence[str] = (),
) -> None:
    """Insert rows that all have the same columns; other columns get no default but the database's.

    With `key`, rows whose unique key stands already are left out, or have their columns `changed` set.
    """
    if rows:
        connection = session.connection()
        names = tuple(rows[0])
        compiled = _insert(connection.dialect, table, names, None if key is None else tuple(key), tuple(changed))
        _run(connection, compiled, rows)


def update_rows(session: Session, table: sa.Table, rows: Sequence[Row], *, added: Sequence[str] = ()) -> None:
    """Set all columns given of the rows with these ids; to columns named in `added` the value is added."""
    if rows:
        connection = session.connection()
        _run(connection, _update(connection.dialect, table, tuple(rows[0]), frozenset(added)), rows)


def defaults_missing(table: sa.Table, names: Sequence[str]) -> bool:
    """Whether columns that have a default of their own in Python are not among `names`."""
    return any(column.default is not None and column.name not in names for column in table.columns)


@lru_cache(maxsize=256)
def _insert(
    dialect: Dialect, table: sa.Table, names: tuple[str, ...], key: tuple[str, ...] | None, changed: tuple[str, ...]
) -> _Compiled:
    if defaults_missing(table, names):
        raise TypeError(f"rows for {table.name} leave out columns that have defaults")
    insert = (sqlite if dialect.name == "sqlite" else postgresql).insert(table)
    if key is not None and changed:
        insert = insert.on_conflict_do_update(index_elements=key, set_={one: insert.excluded[one] for one in changed})
    elif key is not None:
        insert = insert.on_conflict_do_nothing(index_elements=key)
    return _compile(dialect, insert, names)


@lru_cache(maxsize=256)
def _update(dialect: Dialect, table: sa.Table, names: tuple[str, ...], added: frozenset[str]) -> _Compiled:
    changed: dict[str, sa.ColumnElement[Any]] = {}
    for name in names:
        if name != "id":
            value: sa.BindParameter[Any] = sa.bindparam(name, type_=table.c[name].type)
            changed[name] = table.c[name] + value if name in added else value
    found = table.c.id == sa.bindparam(f"{WHERE}id", type_=table.c.id.type)
    return _compile(dialect, sa.update(table).where(found).values(changed), ())


def _compile(dialect: Dialect, statement: sa.Insert | sa.Update, names: tuple[str, ...]) -> _Compiled:
    compiled = statement.compile(dialect=dialect, column_keys=list(names) or None)
    sql = str(compiled)
    order = list(getattr(compiled, "positiontup", None) or _NAMED.findall(sql))
    converters = []
    for name in order:
        kind = compiled.binds[name].type.dialect_impl(dialect)
        converters.append(kind.bind_processor(dialect))
    return _Compiled(
        sql=_NAMED.sub("%s", sql),
        names=tuple(name.removeprefix(WHERE) for name in order),
        converters=tuple(converters),
    )


def _run(connection: sa.Connection, compiled: _Compiled, rows: Sequence[Row]) -> None:
    try:
        columns = [
            _convert(converter, rows, name) for name, converter in zip(compiled.names, compiled.converters, strict=True)
        ]
    except (TypeError, ValueError, OverflowError, LookupError) as error:
        raise sa.exc.StatementError(f"a value cannot be stored: {error}", compiled.sql, None, error) from error
    connection.exec_driver_sql(compiled.sql, list(zip(*columns, strict=True)))


def _convert(converter: _Convert | None, rows: Sequence[Row], name: str) -> list[Any]:
    values = list(map(itemgetter(name), rows))
    if converter is None:
        return values
    # Neighbours often share one value (a state, the time of the batch): it is turned once.
    last: object = _UNSET
    done: Any = None
    for place, value in enumerate(values):
        if value is not last:
            last, done = value, converter(value)
        values[place] = done
    return values
