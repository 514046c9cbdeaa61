"""Directives: what people teach about an agent, and where in its log that was applied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

from monitor.ledger import audit
from monitor.ledger.forgetting import forget_some
from monitor.store.schema import directives
from monitor.store.sql import storable


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive.

    Attributes
    ----------
    seq
        In order of creation.
    kind
        What is done to the profile: a key of `monitor.directives.KINDS`.
    by, reason
        Who says so, and why.
    created_at
        In seconds since the epoch; what is taught bears this time.
    source, partition
        Where the agent's profile is.
    offset
        It lies between this record and the one before; None until it was applied.
    until
        When what holds for a time only is over, in seconds since the epoch.
    doc
        What exactly is taught, as JSON.
    """

    seq: int
    agent_id: str
    kind: str
    by: str
    reason: str
    created_at: float
    source: str
    partition: int
    offset: int | None
    until: float | None = None
    doc: str | None = None


_COLUMNS: Final = [column for column in directives.c if column.name != "stamped_at"]


def order(
    connection: Connection,
    *,
    agent_id: str,
    kind: str,
    by: str,
    actor: str,
    reason: str,
    place: tuple[str, int],
    now_s: float,
    until: float | None = None,
    doc: str | None = None,
) -> int:
    """Write a directive for the daemon to apply, and the audit of it; returns its number.

    Parameters
    ----------
    connection
        A ledger transaction.
    agent_id, kind, by, reason, until, doc
        As in `Directive`.
    actor
        Who is at the keyboard, for the audit.
    place
        Source and partition where the agent's profile is.
    now_s
        Now, in seconds since the epoch.
    """
    source, partition = place
    audit.append(
        connection,
        at_s=now_s,
        actor=actor,
        action=f"directive {kind}",
        subject=agent_id,
        doc={"source": source, "partition": partition, "until": until},
        text={"by": by, "reason": reason},
    )
    values = {
        "agent_id": agent_id,
        "kind": kind,
        "by": storable(by),
        "reason": storable(reason),
        "created_at": now_s,
        "source": source,
        "partition": partition,
        "until": until,
        "doc": doc,
    }
    statement = insert(directives).values(**values).returning(directives.c.seq)
    return int(connection.execute(statement).scalar_one())


def unstamped(connection: Connection, source: str, partition: int) -> list[Directive]:
    """Those that were not applied anywhere yet, in order of creation."""
    query = select(*_COLUMNS).where(*_of(source, partition), directives.c.offset.is_(None))
    rows = connection.execute(query.order_by(directives.c.seq)).mappings()
    return [Directive(**row) for row in rows]


def stamp(connection: Connection, seqs: Sequence[int], offset: int, now_s: float) -> None:
    """Give directives their place; the caller has checked the epoch of their shard."""
    connection.execute(
        update(directives).where(directives.c.seq.in_(seqs)).values(offset=offset, stamped_at=now_s)
    )


def since(connection: Connection, source: str, partition: int, offset: int) -> list[Directive]:
    """Those that were applied at this offset or further on, in the order of their application."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(*_of(source, partition), directives.c.offset >= offset)
        .order_by(directives.c.offset, directives.c.stamped_at, directives.c.seq)
    ).mappings()
    return [Directive(**row) for row in rows]


def unapplied_in(
    connection: Connection, saved_offsets: Mapping[tuple[str, int], int]
) -> set[tuple[str, int]]:
    """Places with directives that no checkpoint holds yet, new ones and stamped ones.

    Parameters
    ----------
    connection
        A transaction that reads the ledger.
    saved_offsets
        By source and partition: the last checkpoint of each shard that is asked about.
    """
    if not saved_offsets:
        return set()
    oldest = min(saved_offsets.values())
    rows = connection.execute(
        select(directives.c.source, directives.c.partition, directives.c.offset).where(
            directives.c.source.in_({source for source, _ in saved_offsets}),
            or_(directives.c.offset.is_(None), directives.c.offset >= oldest),
        )
    ).all()
    return {
        place
        for *parts, offset in rows
        if (place := (parts[0], parts[1])) in saved_offsets
        and (offset is None or offset >= saved_offsets[place])
    }


def newest(connection: Connection, agent_id: str, limit: int) -> Sequence[Directive]:
    """An agent's directives, the newest first."""
    query = select(*_COLUMNS).where(directives.c.agent_id == agent_id)
    rows = connection.execute(query.order_by(directives.c.seq.desc()).limit(limit)).mappings()
    return [Directive(**row) for row in rows]


def prune(connection: Connection, before_s: float) -> int:
    """Forget some that were applied before then; returns how many. The audit keeps them."""
    return forget_some(connection, directives, directives.c.stamped_at < before_s)


def _of(source: str, partition: int) -> tuple[ColumnElement[bool], ...]:
    return directives.c.source == source, directives.c.partition == partition
