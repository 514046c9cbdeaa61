"""The audit: an append-only chain in which every row carries the hash of the one before.

It shows what was changed, taken out or slipped in by whoever can write to the tables but does
not make the whole chain and its head anew; against that, keep the head's hash elsewhere.

What may be personal (who, about whom, and every word that somebody wrote) stands apart, in
details of which the chain has but salted digests: so it can be erased, and the chain stays whole.

Lock order: whoever locks the head and an agent's row takes the head first (`lock`), so that two
transactions never wait for each other.
"""

import hashlib
import json
import secrets
import uuid
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select

from monitor.store.schema import audit, audit_details, audit_head
from monitor.store.sql import insert_if_missing, storable

GENESIS: Final = "0" * 64
PARTS: Final = ("actor", "subject", "text")
"""The details of an entry, each with a salted digest in the chain."""
ERASED: Final = "(erased)"
_COLUMNS: Final = (
    "seq",
    "at",
    "action",
    "facts",
    "actor_digest",
    "subject_digest",
    "text_digest",
    "prev_hash",
)


class Head(NamedTuple):
    """How many entries there are, and the hash of the last."""

    entries: int
    hash: str


def lock(connection: Connection) -> Head:
    """Lock the head until the transaction ends, so that no other entry gets the next place."""
    query = select(audit_head.c.count, audit_head.c.hash).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        insert_if_missing(connection, audit_head, _first_head())
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
    text: Mapping[str, Any] | None = None,
) -> int:
    """Add an entry in the caller's transaction; returns its sequence number, from 1.

    Parameters
    ----------
    connection
        A ledger transaction.
    at_s
        Now, in seconds since the epoch.
    actor
        Who did it: `os:NAME`, `slack:ID` or `token:NAME` for a person, `rule:NAME`, `tripswitch`.
    action
        What was done, in our own words.
    subject
        About whom: most often an agent.
    doc
        Facts that nobody ever needs to erase: ids, counts, times, states.
    text
        What a person, an agent or another system wrote, by label: reasons, scopes, errors.
    """
    head = lock(connection)
    seq = head.entries + 1
    contents = {
        "actor": storable(actor),
        "subject": storable(subject),
        "text": _canonical(dict(text or {})),
    }
    salts = {part: secrets.token_hex(16) for part in PARTS}
    digests = {f"{part}_digest": digest(salts[part], contents[part]) for part in PARTS}
    entry: dict[str, Any] = {
        "seq": seq,
        "at": float(at_s),
        "action": action,
        "facts": _canonical(doc),
        **digests,
        "prev_hash": head.hash,
    }
    entry["hash"] = _hash(entry)
    connection.execute(audit.insert().values(**entry))
    connection.execute(
        audit_details.insert(),
        [{"seq": seq, "part": p, "salt": salts[p], "content": contents[p]} for p in PARTS],
    )
    connection.execute(audit_head.update().values(count=seq, hash=entry["hash"]))
    return seq


def digest(salt: str, content: str) -> str:
    """What the chain has of a detail."""
    return hashlib.sha256(f"{salt}:{content}".encode()).hexdigest()


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
    """The latest entries, oldest first: `seq`, `at`, `actor`, `action`, `subject`, `doc`, `hash`.

    `doc` is the facts and the text together; what was erased reads `(erased)`.
    """
    latest = connection.execute(select(audit).order_by(audit.c.seq.desc()).limit(limit)).mappings()
    rows = [dict(row) for row in latest][::-1]
    return [_whole(row, _details(connection, row["seq"])) for row in rows]


def _details(connection: Connection, seq: int) -> dict[str, str]:
    query = select(audit_details.c.part, audit_details.c.content).where(audit_details.c.seq == seq)
    return {row.part: row.content for row in connection.execute(query)}


def _whole(row: Mapping[str, Any], details: Mapping[str, str]) -> dict[str, Any]:
    facts = _parsed(row["facts"])
    text = _parsed(details["text"]) if "text" in details else {"text": ERASED}
    both = isinstance(facts, dict) and isinstance(text, dict)
    return {
        "seq": row["seq"],
        "at": row["at"],
        "actor": details.get("actor", ERASED),
        "action": row["action"],
        "subject": details.get("subject", ERASED),
        "doc": {**facts, **text} if both else [facts, text],  # a list: somebody changed it
        "hash": row["hash"],
    }


def _first_head() -> dict[str, Any]:
    return {"id": 1, "store_id": uuid.uuid4().hex, "count": 0, "hash": GENESIS}


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
