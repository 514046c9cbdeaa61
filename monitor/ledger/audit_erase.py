"""Erases details of the audit, by order or by age, and names in the chain what was erased.

The chain stays whole: it has but salted digests of the details, and an entry that says which of
them are gone, by number and part, without a word of what they said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select

from monitor.ledger import audit, audit_read, settled
from monitor.ledger.audit_chain import (
    ERASED_BY_AGE,
    ERASED_BY_ORDER,
    PARTS,
    canonical,
    ranges_of,
)
from monitor.store.schema import audit as audit_table
from monitor.store.schema import audit_details
from monitor.store.sql import storable

SUBJECT: Final = "audit"
BATCH: Final = 5000
"""So many details at most are erased by age in one transaction: a kill waits for its end."""
_MAX_PARAMETERS: Final = 500


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose text is to be erased: a person's, or what is about an agent."""

    name: str
    is_agent: bool


class Found(NamedTuple):
    """Details, by entry and part, and the last entry that was looked at."""

    details: list[tuple[int, str]]
    to: int


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was erased.

    Attributes
    ----------
    entries, details
        Of the audit.
    elsewhere
        In settled rows of the ledger, by table.
    """

    entries: int
    details: int
    elsewhere: dict[str, int]


def find(connection: Connection, whose: Whose, after: int = 0) -> Found:
    """The details to erase, in entries after this one.

    Of an entry that the person made, or that is about them or the agent: who or about whom, and
    its text; and every text of which a value is that name. It reads all details: do it before the
    transaction that erases, which then needs to look at what came since alone.
    """
    to = head.entries if (head := audit_read.head(connection)) else 0
    name = storable(whose.name)
    theirs = ("subject",) if whose.is_agent else ("actor", "subject")
    position = func.strpos if connection.dialect.name == "postgresql" else func.instr
    part, content = audit_details.c.part, audit_details.c.content
    is_named: ColumnElement[bool] = or_(
        and_(part.in_(theirs), content == name),
        and_(part == "text", position(content, f":{canonical(name)}") > 0),
    )
    rows = connection.execute(
        select(audit_details.c.seq, part).where(is_named, audit_details.c.seq > after)
    ).all()
    return Found(sorted({(row.seq, p) for row in rows for p in (row.part, "text")}), to)


def erase(
    connection: Connection,
    whose: Whose,
    found: Found,
    *,
    by: str,
    reason: str,
    now_s: float,
) -> Erased:
    """Erase these details and the settled rows' text, and name the details in the chain.

    Parameters
    ----------
    connection
        A ledger transaction.
    whose
        Whose they are.
    found
        What `find` found before.
    by, reason
        Who says so, and why.
    now_s
        Now, in seconds since the epoch.
    """
    audit.lock(connection)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")  # overwrites what it frees
    take_out = settled.erase_agent if whose.is_agent else settled.erase_person
    elsewhere = take_out(connection, storable(whose.name), now_s)
    since = find(connection, whose, after=found.to)
    erased = _delete(connection, [*found.details, *since.details])
    result = Erased(
        entries=len({seq for seqs in erased.values() for seq in seqs}),
        details=sum(map(len, erased.values())),
        elsewhere=elsewhere,
    )
    audit.append(
        connection,
        at_s=now_s,
        actor=by,
        action=ERASED_BY_ORDER,
        subject=SUBJECT,
        doc={"erased": _ranges(erased), "details": result.details, "elsewhere": elsewhere},
        text={"reason": reason},
    )
    return result


def erase_older(connection: Connection, before_s: float, now_s: float) -> int:
    """Erase up to `BATCH` details of entries older than `before_s`; returns how many.

    Entries that tell of this keep theirs: there is nothing personal in them.
    """
    audit.lock(connection)
    oldest = connection.execute(
        select(audit_details.c.seq, audit_details.c.part, audit_table.c.at)
        .join(audit_table, audit_table.c.seq == audit_details.c.seq)
        .where(audit_table.c.action != ERASED_BY_AGE)
        .order_by(audit_details.c.seq)
        .limit(BATCH)
    ).all()
    old = [(row.seq, row.part) for row in oldest if row.at < before_s]
    erased = _delete(connection, old)
    if erased:
        audit.append(
            connection,
            at_s=now_s,
            actor="tripswitch",
            action=ERASED_BY_AGE,
            subject=SUBJECT,
            doc={"erased": _ranges(erased), "before": before_s},
        )
    return len(old)


def _delete(connection: Connection, found: Sequence[tuple[int, str]]) -> dict[str, list[int]]:
    """Delete details; those that were there, by part."""
    erased: dict[str, list[int]] = {}
    by_part = sorted(found, key=itemgetter(1, 0))
    for part, of_part in groupby(by_part, key=itemgetter(1)):
        seqs = [seq for seq, _ in of_part]
        for start in range(0, len(seqs), _MAX_PARAMETERS):
            some = audit_details.c.seq.in_(seqs[start : start + _MAX_PARAMETERS])
            gone = connection.execute(
                delete(audit_details)
                .where(audit_details.c.part == part, some)
                .returning(audit_details.c.seq)
            )
            erased.setdefault(part, []).extend(sorted(gone.scalars()))
    return {part: seqs for part, seqs in erased.items() if seqs}


def _ranges(erased: dict[str, list[int]]) -> dict[str, list[list[int]]]:
    return {part: ranges_of(erased[part]) for part in PARTS if part in erased}
