"""Enforcement points of trips: who drives which, under a lease, and what came of it.

A lease is taken for longer than a point's time limit and ends when its holder reports. A new
order for the same point waits for a running lease to end, so that an old order cannot land after
it. Should a holder that overslept its lease report after all, the present order is sent again.
"""

import random
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, select, update

from alerting.killswitch import OPEN, Order, PointState, is_person
from monitor.errors import NotFoundError, UsageError
from monitor.ledger import agents, audit, trip
from monitor.ledger.outcome import conclude, tell
from monitor.store.schema import points, trips
from monitor.store.sql import storable

MAX_BACKOFF_S: Final = 60.0
FAILED_AFTER_ATTEMPTS: Final = 3
"""From then on a point that is still tried reads `failed` in place of `pending`."""


@dataclass(frozen=True, slots=True)
class Leased:
    """An order that its holder alone may carry out until `until_s`."""

    point: str
    order: Order
    lease: str
    until_s: float


def _is_due(now_s: float, only: Collection[str], trip_id: str | None) -> ColumnElement[bool]:
    due = and_(
        points.c.state.in_(sorted(OPEN)),
        points.c.due_at <= now_s,
        points.c.lease_until <= now_s,
        points.c.point.in_(sorted(only)),
    )
    return due if trip_id is None else and_(due, points.c.trip_id == trip_id)


def any_due(connection: Connection, now_s: float, only: Collection[str]) -> bool:
    """Whether `lease_due` would find anything; needs no more than a reading transaction."""
    return (
        connection.execute(select(1).where(_is_due(now_s, only, None)).limit(1)).first() is not None
    )


def lease_due(
    connection: Connection,
    owner: str,
    now_s: float,
    lease_s: float,
    *,
    only: Collection[str],
    trip_id: str | None = None,
    limit: int = 1,
) -> list[Leased]:
    """Take the orders that are due, the longest due first.

    Parameters
    ----------
    owner
        Names this process in the lease.
    lease_s
        Longer than an attempt can take.
    only
        Names of the points that this process can drive.
    trip_id
        Of this trip alone.
    """
    keys = connection.execute(
        select(points.c.trip_id, points.c.point, points.c.attempts)
        .where(_is_due(now_s, only, trip_id))
        .order_by(points.c.due_at, points.c.trip_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    return [_lease(connection, *key, owner, now_s + lease_s) for key in keys]


def _lease(
    connection: Connection, trip_id: str, point: str, attempts: int, owner: str, until_s: float
) -> Leased:
    lease = f"{owner}/{uuid.uuid4().hex}"
    connection.execute(
        update(points)
        .where(points.c.trip_id == trip_id, points.c.point == point)
        .values(lease_owner=lease, lease_until=until_s, attempts=attempts + 1)
    )
    row = connection.execute(
        select(trips, points.c.direction, points.c.order_seq.label("point_seq"))
        .join(points, points.c.trip_id == trips.c.trip_id)
        .where(trips.c.trip_id == trip_id, points.c.point == point)
    ).one()
    revoke = row.direction == "revoke"
    order = Order(
        trip_id=trip_id,
        agent_id=row.agent_id,
        direction=row.direction,
        order_seq=row.point_seq,
        reason=row.reason if revoke else row.restore_reason,
        ordered_by=row.ordered_by if revoke else row.restore_ordered_by,
        ordered_at=datetime.fromtimestamp(
            row.ordered_at if revoke else row.restore_ordered_at, UTC
        ),
    )
    return Leased(point, order, lease, until_s)


def settle_point(
    connection: Connection,
    leased: Leased,
    *,
    error: str | None,
    receivers: Sequence[str],
    now_s: float,
    retry_after_s: float | None = None,
) -> bool:
    """Report what came of a leased order.

    Parameters
    ----------
    error
        Why the point did not confirm; None if it did.
    retry_after_s
        For how long the point asked not to be tried; at most `MAX_BACKOFF_S` is granted.

    Returns
    -------
    bool
        Whether the report was taken; not if the lease was lost or the order is no longer valid.
    """
    order = leased.order
    agent = agents.lock(connection, order.agent_id, now_s)
    row = connection.execute(_of(order.trip_id, leased.point)).one()
    held = row.lease_owner == leased.lease
    outdated = row.order_seq != order.order_seq or row.state not in OPEN
    if outdated and agent.trip_id is not None:
        _make_way(connection, agent.trip_id, leased, now_s)
    connection.execute(
        update(points)
        .where(points.c.point == leased.point, points.c.lease_owner == leased.lease)
        .values(lease_owner=None, lease_until=0.0)
    )
    if outdated:
        return False
    if not held:
        return False
    if error is None:
        _set(connection, order.trip_id, leased.point, PointState.CONFIRMED, now_s, error=None)
    else:
        due_at = now_s + _pause_s(row.attempts, retry_after_s)
        _failed(connection, leased, row.attempts, storable(error, 500), due_at, receivers, now_s)
    _log(connection, leased, error, now_s)
    conclude(connection, trip.get(connection, order.trip_id), receivers, now_s)
    return True


def give_up(
    connection: Connection,
    trip_id: str,
    point: str,
    *,
    reason: str,
    by: str,
    receivers: Sequence[str],
    now_s: float,
) -> trip.Trip:
    """Stop trying a point that does not confirm; a person's decision, by name.

    Raises
    ------
    NotFoundError
        If there is no such trip or point.
    UsageError
        If the point is not being tried, or no person asked.
    """
    if not is_person(by):
        raise UsageError("only a person gives up an enforcement point")
    found = trip.get(connection, trip_id)
    agents.lock(connection, found.agent_id, now_s)
    row = connection.execute(_of(trip_id, point)).one_or_none()
    if row is None:
        names = ", ".join(p.point for p in found.points)
        raise NotFoundError(f"trip {trip_id} has no point {point!r:.60}; it has {names}")
    if row.state not in OPEN:
        raise UsageError(f"point {point} of trip {trip_id} is {row.state}: nothing to give up")
    _set(connection, trip_id, point, PointState.GIVEN_UP, now_s, error=row.last_error)
    audit.append(
        connection,
        at_s=now_s,
        actor=by,
        action="enforcement point given up",
        subject=found.agent_id,
        doc={"trip_id": trip_id, "point": point, "order_seq": row.order_seq},
        text={"reason": reason},
    )
    return conclude(connection, trip.get(connection, trip_id), receivers, now_s)


def _failed(
    connection: Connection,
    leased: Leased,
    attempts: int,
    error: str,
    due_at: float,
    receivers: Sequence[str],
    now_s: float,
) -> None:
    trip_id = leased.order.trip_id
    state = PointState.FAILED if attempts >= FAILED_AFTER_ATTEMPTS else PointState.PENDING
    _set(connection, trip_id, leased.point, state, None, error=error, due_at=due_at)
    if attempts == 1:
        verb = "cut off" if leased.order.direction == "revoke" else "restored"
        headline = f"is not yet {verb} at {leased.point}: {error}; retrying"
        about = trip.get(connection, trip_id)
        tell(connection, about, "trip_partial", headline, receivers, now_s, occasion=leased.point)


def _pause_s(attempts: int, retry_after_s: float | None) -> float:
    """How long until the next attempt: doubling, and not all points of a storm at once."""
    jitter = random.uniform(0.5, 1.0)  # noqa: S311 # no secret
    ceiling_s = min(MAX_BACKOFF_S, 2.0 ** min(attempts - 1, 10))
    asked_s = min(MAX_BACKOFF_S, retry_after_s or 0.0)  # a kill does not wait for a day
    return max(ceiling_s * jitter, asked_s * (0.5 + jitter))


def _make_way(connection: Connection, trip_id: str, late: Leased, now_s: float) -> None:
    """See to it that the present order is the last that the point is told.

    If the present order still waits for this lease, that is so. If not, the lease ran out before
    its holder reported: the outdated order may have come last, so the present one is sent again.
    """
    connection.execute(
        update(points)
        .where(
            points.c.trip_id == trip_id,
            points.c.point == late.point,
            points.c.order_seq > late.order.order_seq,
            points.c.lease_owner.is_distinct_from(late.lease),
            points.c.state.in_([*sorted(OPEN), PointState.CONFIRMED]),
        )
        # Without its owner a running lease still holds others off, and reports in vain.
        .values(state=PointState.PENDING, lease_owner=None, due_at=now_s, settled_at=None)
    )


def _log(connection: Connection, leased: Leased, error: str | None, now_s: float) -> None:
    """Audit a confirmation, and a failure by its first attempt alone."""
    order = leased.order
    row = connection.execute(_of(order.trip_id, leased.point)).one()
    if error is not None and row.attempts > 1:
        return
    audit.append(
        connection,
        at_s=now_s,
        actor="tripswitch",
        action=f"{order.direction} {'confirmed' if error is None else 'not confirmed'}",
        subject=order.agent_id,
        doc={
            "trip_id": order.trip_id,
            "point": leased.point,
            "order_seq": order.order_seq,
            "attempts": row.attempts,
        },
        text={"error": error} if error else None,
    )


def _of(trip_id: str, point: str) -> Select[Any]:
    return select(points).where(points.c.trip_id == trip_id, points.c.point == point)


def _set(
    connection: Connection,
    trip_id: str,
    point: str,
    state: PointState,
    settled_at: float | None,
    *,
    error: str | None,
    due_at: float | None = None,
) -> None:
    values = {"state": state, "settled_at": settled_at, "last_error": error}
    connection.execute(
        update(points)
        .where(points.c.trip_id == trip_id, points.c.point == point)
        .values(values if due_at is None else {**values, "due_at": due_at})
    )
