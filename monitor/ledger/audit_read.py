"""Reads the audit: as a stream of entries with their details, and whether it is whole.

Whoever reads more than once reads in one `Store.snapshot`: an entry that is appended, or a detail
that is erased, between two statements would look like a fault.
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import chain, groupby, repeat
from operator import attrgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, CursorResult, Select, func, or_, select

from monitor.ledger.audit_chain import (
    ERASURES,
    GENESIS,
    PARTS,
    Chain,
    Detail,
    Entry,
    Erasures,
)
from monitor.store.schema import audit, audit_details, audit_head

_ROWS_AT_ONCE: Final = 1000


class Head(NamedTuple):
    """How many entries there are, and the hash of the last."""

    entries: int
    hash: str


def head(connection: Connection) -> Head | None:
    """The head as it is now; None before the first entry."""
    found = connection.execute(select(audit_head.c.count, audit_head.c.hash)).one_or_none()
    return Head(*found) if found else None


def store_id(connection: Connection) -> str | None:
    """What tells this chain from others; None before the first entry."""
    return connection.execute(select(audit_head.c.store_id)).scalar_one_or_none()


def erasures(connection: Connection) -> Erasures:
    """What the entries of the chain name as erased."""
    query = select(audit.c.seq, audit.c.facts).where(audit.c.action.in_(ERASURES))
    with _few_at_once(connection, query) as rows:
        return Erasures((row.seq, row.facts) for row in rows)


def stream(
    connection: Connection, *, first: int | None = None, last: int | None = None
) -> Generator[Entry, None, None]:
    """Entries `first` to `last`, in order, each with its details; never all in memory."""
    entries, details = select(audit), select(audit_details)
    if first is not None:
        entries = entries.where(audit.c.seq >= first)
        details = details.where(audit_details.c.seq >= first)
    if last is not None:
        entries = entries.where(audit.c.seq <= last)
        details = details.where(audit_details.c.seq <= last)
    with (
        _few_at_once(connection, entries.order_by(audit.c.seq)) as rows,
        _few_at_once(connection, details.order_by(audit_details.c.seq)) as parts,
    ):
        nothing: Iterator[tuple[Any, Any]] = repeat((None, ()))
        groups = chain(groupby(parts, key=attrgetter("seq")), nothing)
        seq, group = next(groups)
        for row in rows:
            while seq is not None and seq < row.seq:
                seq, group = next(groups)
            found = {d.part: Detail(d.salt, d.content) for d in group} if seq == row.seq else {}
            yield Entry(
                seq=row.seq,
                at=row.at,
                action=row.action,
                facts=row.facts,
                digests={part: getattr(row, f"{part}_digest") for part in PARTS},
                prev_hash=row.prev_hash,
                hash=row.hash,
                details=found,
            )


def verify(connection: Connection) -> str | None:
    """Walk the whole chain and its details; None if all is whole, else the first fault."""
    found = head(connection)
    last_seq = connection.execute(select(func.max(audit.c.seq))).scalar() or 0
    if found is None and last_seq:
        return "the chain's head was deleted"
    entries, last_hash = found or Head(0, GENESIS)
    walk = Chain(erasures(connection))
    with closing(stream(connection, last=entries)) as walked:
        for entry in walked:
            if fault := walk.fault(entry):
                return fault
    if walk.next_seq <= entries:
        return f"entry {walk.next_seq} is missing; it and all after it were deleted"
    if walk.hash != last_hash:
        return f"the head was changed: it does not hold the hash of entry {entries}"
    if last_seq > entries:
        return f"entry {entries + 1} was added without the chain's head"
    return _stray_detail(connection, entries)


def _stray_detail(connection: Connection, entries: int) -> str | None:
    """A detail that belongs to no entry of a chain that is whole."""
    seq, part = audit_details.c.seq, audit_details.c.part
    is_stray = or_(seq < 1, seq > entries, part.not_in(PARTS))
    row = connection.execute(select(seq, part).where(is_stray).order_by(seq, part)).first()
    if row is None:
        return None
    if 1 <= row.seq <= entries:
        return f"entry {row.seq}: a detail {row.part!r:.60} was added"
    return f"entry {row.seq} is missing; its {row.part:.60} is still there"


def _few_at_once(connection: Connection, query: Select[Any]) -> CursorResult[Any]:
    return connection.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE})
