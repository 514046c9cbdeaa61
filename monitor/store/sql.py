"""What SQLite and PostgreSQL do alike but say, or bear, differently."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, Connection, Float, LargeBinary, Table
from sqlalchemy.dialects import postgresql, sqlite

_MAX_ROWS: Final = 500
_AT_ONCE: Final = 100
"""Rows of one statement. Python's other threads go on while SQLite runs one, and a busy one of them
has to be waited for then: 20,000 large rows took 40 s one by one, and take 2 s so."""

# To build a statement takes as long as to run it: what a trip waits for is built once.


def insert_if_missing(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless its key is there already; tells whether it was inserted."""
    statement = _unless_there(table, connection.dialect.name)
    return connection.execute(statement, values).first() is not None


@cache
def _unless_there(table: Table, dialect: str) -> Any:
    # not rowcount: SQLAlchemy fetches keys that count up, and then it is 0 on PostgreSQL
    return _insert(table, dialect).on_conflict_do_nothing().returning(*table.primary_key)


def insert_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows whose key is not there yet; returns how many those were."""
    inserted = 0
    for start in range(0, len(rows), _MAX_ROWS):
        statement = _insert(table, connection.dialect.name).values(
            list(rows[start : start + _MAX_ROWS])
        )
        keys = statement.on_conflict_do_nothing().returning(*table.primary_key)
        inserted += len(connection.execute(keys).all())
    return inserted


def storable(text: str, limit: int = 2000) -> str:
    """Free text as every database takes it: no NUL, no lone surrogate, not without end."""
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return text.replace("\x00", "�").encode("utf-8", "replace").decode("utf-8")


def advance(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], column: Column[int]
) -> None:
    """Insert rows, each key once; where it is there already, raise this column, or leave it."""
    statement = _insert(table, connection.dialect.name)
    new = statement.excluded[column.name]
    keys = [key.name for key in table.primary_key]
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=keys, set_={column.name: new}, where=column < new
        ),
        list(rows),
    )


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, each key once, or replace those whose primary key is there already."""
    if rows:
        connection.execute(_or_replace(table, connection.dialect.name), list(rows))


@cache
def _or_replace(table: Table, dialect: str) -> Any:
    statement = _insert(table, dialect)
    keys = [column.name for column in table.primary_key]
    values = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=values)


def put_rows(
    connection: Connection,
    table: Table,
    columns: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
    *,
    replace: bool = True,
) -> None:
    """Insert many rows, each key once.

    Parameters
    ----------
    columns, rows
        The columns' names, and values as the database's driver takes them.
    replace
        Whether a row whose primary key is there already replaces that one, or is passed over.
    """
    insert = _as_text(table, columns, connection.dialect.name, replace)
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        if connection.dialect.name == "postgresql":
            by_column = map(list, zip(*some, strict=True))
            arrays = tuple(
                _to_json(values) if in_json else values
                for values, in_json in zip(by_column, insert.in_json, strict=True)
            )
            statement = " ".join((insert.head, "SELECT * FROM unnest", insert.values, insert.tail))
            connection.exec_driver_sql(statement, arrays)
        else:
            lists = ", ".join([insert.values] * len(some))
            statement = " ".join((insert.head, "VALUES", lists, insert.tail))
            connection.exec_driver_sql(statement, tuple(chain.from_iterable(some)))


class _Insert(NamedTuple):
    """A statement as the driver takes it: what is before a row's values, these, the rest.

    For PostgreSQL the values are arrays, one for each column: psycopg takes as long to read a
    statement with thousands of values as to send it. It makes arrays of lists in Python, value by
    value; in JSON they come as text, for a third of the time. What JSON does not have stays a list.
    """

    head: str
    values: str
    tail: str
    in_json: tuple[bool, ...]


@cache
def _as_text(table: Table, columns: tuple[str, ...], dialect: str, replace: bool) -> _Insert:
    statement = _insert(table, dialect).values(dict.fromkeys(columns, ""))
    keys = [column.name for column in table.primary_key]
    new = {name: statement.excluded[name] for name in columns if name not in keys}
    statement = (
        statement.on_conflict_do_update(index_elements=keys, set_=new)
        if replace
        else statement.on_conflict_do_nothing()
    )
    how = _DIALECTS[dialect]
    head, rest = str(statement.inline().compile(dialect=how)).split(" VALUES ", 1)
    values, tail = rest.split(" ON CONFLICT ", 1)
    types = [table.c[name].type for name in columns]
    in_json = tuple(not isinstance(kind, Float | LargeBinary) for kind in types)
    if dialect == "postgresql":
        arrays = (
            ("ARRAY(SELECT json_array_elements_text(%s::json))" if as_json else "%s")
            + f"::{kind.compile(dialect=how)}[]"
            for kind, as_json in zip(types, in_json, strict=True)
        )
        values = f"({', '.join(arrays)})"
    return _Insert(head, values, f"ON CONFLICT {tail}", in_json)


_to_json: Final = json.JSONEncoder(ensure_ascii=False).encode
_DIALECTS: Final = {
    "sqlite": sqlite.dialect(paramstyle="qmark"),
    "postgresql": postgresql.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]
}


def _insert(table: Table, dialect: str) -> Any:
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)
