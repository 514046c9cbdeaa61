"""The audit: an append-only chain in which every row carries the hash of the one before.

It shows what was changed, taken out or slipped in by whoever can write to the tables but does
not make the whole chain and its head anew; against that, keep the head's hash elsewhere.

Lock order: whoever locks the head and an agent's row takes the head first (`lock`), so that two
transactions never wait for each other.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select

from monitor.store.schema import audit, audit_head
from monitor.store.sql import insert_if_missing, storable

GENESIS: Final = "0" * 64
_COLUMNS: Final = ("seq", "at", "actor", "action", "subject", "doc", "prev_hash")


class Head(NamedTuple):
    """How many entries there are, and the hash of the last."""

    entries: int
    hash: str


def lock(connection: Connection) -> Head:
    """Lock the head until the transaction ends, so that no other entry gets the next place."""
    query = select(audit_head.c.count, audit_head.c.hash).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        insert_if_missing(connection, audit_head, {"id": 1, "count": 0, "hash": GENESIS})
        row = connection.execute(query).one()
    return Head(*row)


def append(
    connection: Connection,
    *,
    at_s: float,
    actor: str,
    action: str,
    subject: str,
    doc: Mapping[str, Any],
) -> int:
    """Add an entry in the caller's transaction; returns its sequence number, from 1."""
    head = lock(connection)
    entry: dict[str, Any] = {
        "seq": head.entries + 1,
        "at": float(at_s),
        "actor": storable(actor),
        "action": action,
        "subject": storable(subject),
        "doc": _canonical(doc),
        "prev_hash": head.hash,
    }
    entry["hash"] = _hash(entry)
    connection.execute(audit.insert().values(**entry))
    connection.execute(audit_head.update().values(count=entry["seq"], hash=entry["hash"]))
    return head.entries + 1


def verify(connection: Connection) -> str | None:
    """Walk the whole chain; None if it is whole, else what is wrong with the first broken link."""
    # The last number is read before the head: an entry appended meanwhile is in the head too.
    last_seq = connection.execute(select(func.max(audit.c.seq))).scalar() or 0
    found = connection.execute(select(audit_head.c.count, audit_head.c.hash)).one_or_none()
    head = Head(*found) if found else Head(0, GENESIS)
    expected_seq, prev_hash = 1, GENESIS
    chain = select(audit).where(audit.c.seq <= head.entries).order_by(audit.c.seq)
    for row in connection.execute(chain).yield_per(1000).mappings():
        entry = dict(row)
        seq = entry["seq"]
        if seq < expected_seq:
            return f"entry {seq} was added before the first"
        if seq > expected_seq:
            return f"entry {expected_seq} is missing"
        if entry["prev_hash"] != prev_hash or entry["hash"] != _hash(entry):
            return f"entry {seq} was changed"
        expected_seq, prev_hash = seq + 1, entry["hash"]
    if expected_seq <= head.entries:
        return f"entry {expected_seq} is missing; it and all after it were deleted"
    if prev_hash != head.hash:
        return f"the head was changed: it does not hold the hash of entry {head.entries}"
    if last_seq > head.entries:
        return f"entry {head.entries + 1} was added without the chain's head"
    return None


def entries(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """The latest entries, oldest first, each with `doc` parsed where it still is JSON."""
    latest = connection.execute(select(audit).order_by(audit.c.seq.desc()).limit(limit)).mappings()
    return [{**entry, "doc": _parsed(entry["doc"])} for entry in latest][::-1]


def _parsed(doc: str) -> Any:
    try:
        return json.loads(doc)
    except ValueError:
        return doc  # somebody changed it; `verify` says so


def _hash(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical([entry[c] for c in _COLUMNS]).encode()).hexdigest()


def _canonical(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
