"""The audit: an append-only chain in which every row carries the hash of the one before.

It shows what was changed, taken out or slipped in by whoever can write to the tables but does
not make the whole chain and its head anew; against that, keep the head's hash elsewhere.

What may be personal (who, about whom, and every word that somebody wrote) stands apart, in
details of which the chain has but salted digests: so it can be erased, and the chain stays whole.

Lock order: whoever locks the head and an agent's row takes the head first (`lock`), so that two
transactions never wait for each other.
"""

import json
import secrets
import uuid
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from monitor.ledger.audit_chain import GENESIS, PARTS, canonical, digest, entry_hash
from monitor.ledger.audit_read import Head, verify
from monitor.store.schema import audit, audit_details, audit_head
from monitor.store.sql import insert_if_missing, storable

__all__ = ["ERASED", "MAX_TEXT_CHARS", "Head", "append", "entries", "lock", "verify"]

ERASED: Final = "(erased)"
MAX_TEXT_CHARS: Final = 4000
"""So much is kept of each text of an entry: appending stands in the way of a kill."""


_HEAD: Final = select(audit_head.c.count, audit_head.c.hash).with_for_update()


def lock(connection: Connection) -> Head:
    """Lock the head until the transaction ends, so that no other entry gets the next place."""
    row = connection.execute(_HEAD).one_or_none()
    if row is None:
        insert_if_missing(connection, audit_head, _first_head())
        row = connection.execute(_HEAD).one()
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
        "text": canonical({label: _bounded(value) for label, value in (text or {}).items()}),
    }
    salts = {part: secrets.token_hex(16) for part in PARTS}
    digests = {f"{part}_digest": digest(salts[part], contents[part]) for part in PARTS}
    entry: dict[str, Any] = {
        "seq": seq,
        "at": float(at_s),
        "action": action,
        "facts": canonical(doc),
        **digests,
        "prev_hash": head.hash,
    }
    entry["hash"] = entry_hash(entry)
    connection.execute(audit.insert(), entry)
    connection.execute(
        audit_details.insert(),
        [{"seq": seq, "part": p, "salt": salts[p], "content": contents[p]} for p in PARTS],
    )
    connection.execute(audit_head.update(), {"count": seq, "hash": entry["hash"]})
    return seq


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


def _bounded(value: Any) -> Any:
    return storable(value, MAX_TEXT_CHARS) if isinstance(value, str) else value
