"""Deliveries as people see them: what waits, what was given up and why, and reviving that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select, update

from monitor.errors import NotFoundError, UsageError
from monitor.ledger import audit, streams
from monitor.store.schema import outbox
from monitor.store.sql import storable

_REVIVE_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Listed:
    """One delivery that has not arrived.

    Attributes
    ----------
    state
        `pending` or `dead`.
    due_at
        When it is tried next, in seconds since the epoch, if it is pending.
    doc
        The message as JSON.
    """

    delivery_id: str
    receiver: str
    state: str
    kind: str
    attempts: int
    created_at: float
    due_at: float
    settled_at: float | None
    last_error: str | None
    doc: str


@dataclass(frozen=True, slots=True)
class Stuck:
    """What a receiver does not get.

    Attributes
    ----------
    failing, failing_since, error
        Messages that were tried several times in vain, since when the first of them waits, and
        what one of them was refused with.
    dead, dead_error
        Messages that were given up since some moment, and what one was refused with.
    """

    receiver: str
    failing: int = 0
    failing_since: float = 0.0
    error: str | None = None
    dead: int = 0
    dead_error: str | None = None


def about_agent(connection: Connection, agent_id: str, limit: int = 500) -> Sequence[RowMapping]:
    """The newest deliveries about an agent and its incidents, oldest first: what became of each."""
    query = (
        select(
            outbox.c.doc,
            outbox.c.receiver,
            outbox.c.state,
            outbox.c.created_at,
            outbox.c.settled_at,
            outbox.c.last_error,
        )
        .where(outbox.c.stream.in_(streams.about(connection, agent_id)))
        .order_by(outbox.c.seq.desc())
        .limit(limit)
    )
    return connection.execute(query).mappings().all()[::-1]


def unsent(
    connection: Connection,
    *,
    receiver: str | None = None,
    state: str | None = None,
    limit: int = 50,
) -> list[Listed]:
    """What is pending or dead, oldest first."""
    columns = [outbox.c[name] for name in Listed.__dataclass_fields__]
    query = (
        select(*columns)
        .where(outbox.c.state.in_((state,) if state else ("pending", "dead")))
        .order_by(outbox.c.seq)
        .limit(limit)
    )
    if receiver is not None:
        query = query.where(outbox.c.receiver == receiver)
    return [Listed(**row) for row in connection.execute(query).mappings()]


def revive(
    connection: Connection,
    *,
    by: str,
    reason: str,
    now_s: float,
    delivery_id: str | None = None,
    receiver: str | None = None,
) -> int:
    """Have given-up messages tried again, under the keys that they had; returns how many.

    Parameters
    ----------
    delivery_id
        That one, or the one whose id begins so; None for all, or for all of `receiver`.

    Raises
    ------
    NotFoundError
        If there is no such delivery.
    UsageError
        If it is not dead, or several begin so.
    """
    audit.lock(connection)
    which: list[ColumnElement[bool]] = [outbox.c.state == "dead"]
    if delivery_id is not None:
        which.append(outbox.c.delivery_id == _dead(connection, delivery_id))
    if receiver is not None:
        which.append(outbox.c.receiver == receiver)
    chosen = select(outbox.c.seq).where(*which).order_by(outbox.c.seq).limit(_REVIVE_AT_ONCE)
    values: dict[str, Any] = {
        "state": "pending",
        "attempts": 0,
        "due_at": now_s,
        "lease_until": 0.0,
        "settled_at": None,
    }
    statement = update(outbox).where(outbox.c.seq.in_(chosen)).values(values)
    revived = connection.execute(statement.returning(outbox.c.delivery_id, outbox.c.receiver)).all()
    if revived:
        audit.append(
            connection,
            at_s=now_s,
            actor=by,
            action="messages tried again",
            subject=receiver or "",
            doc={"count": len(revived), "delivery_id": delivery_id and revived[0].delivery_id},
            text={"reason": storable(reason)},
        )
    return len(revived)


def stuck(connection: Connection, *, attempts: int, dead_since_s: float) -> dict[str, Stuck]:
    """The receivers that fail or gave something up, by name.

    Parameters
    ----------
    attempts
        So many attempts in vain make a message count as failing.
    dead_since_s
        What was given up before then is no news any more, in seconds since the epoch.
    """
    pending = (
        select(
            outbox.c.receiver,
            func.count().label("failing"),
            func.min(outbox.c.created_at).label("failing_since"),
            func.max(outbox.c.last_error).label("error"),
        )
        .where(
            outbox.c.state == "pending",
            outbox.c.attempts >= attempts,
            outbox.c.last_error.is_not(None),
        )
        .group_by(outbox.c.receiver)
    )
    found = {row.receiver: Stuck(*row) for row in connection.execute(pending)}
    dead = (
        select(
            outbox.c.receiver,
            func.count().label("dead"),
            func.max(outbox.c.last_error).label("dead_error"),
        )
        .where(outbox.c.state == "dead", outbox.c.settled_at >= dead_since_s)
        .group_by(outbox.c.receiver)
    )
    for row in connection.execute(dead):
        known = found.get(row.receiver, Stuck(row.receiver))
        found[row.receiver] = Stuck(
            row.receiver, known.failing, known.failing_since, known.error, row.dead, row.dead_error
        )
    return found


def _dead(connection: Connection, delivery_id: str) -> str:
    query = select(outbox.c.delivery_id, outbox.c.state).where(
        outbox.c.delivery_id.startswith(delivery_id, autoescape=True)
    )
    found = connection.execute(query.limit(2)).all()
    if not delivery_id or not found:
        raise NotFoundError(f"no delivery {delivery_id!r:.60}; `tripswitch outbox` lists them")
    if len(found) > 1:
        raise UsageError(f"several deliveries begin with {delivery_id!r:.60}; type more of it")
    if found[0].state != "dead":
        raise UsageError(
            f"delivery {delivery_id!r:.60} is {found[0].state}, not dead; "
            "`tripswitch outbox --dead` lists what can be sent again"
        )
    return str(found[0].delivery_id)
