"""Forgetting: old rows go some at a time, so that nobody waits long for what they lock."""

from typing import Final

from sqlalchemy import ColumnElement, Connection, Table, delete, select, tuple_

BATCH: Final = 1000
"""So many rows of a table at most are forgotten in one transaction: a kill waits for its end."""


def forget_some(connection: Connection, table: Table, *which: ColumnElement[bool]) -> int:
    """Delete up to `BATCH` rows of those for which all of this is true; returns how many."""
    keys = table.primary_key.columns
    some = select(*keys).where(*which).limit(BATCH)
    return connection.execute(delete(table).where(tuple_(*keys).in_(some))).rowcount
