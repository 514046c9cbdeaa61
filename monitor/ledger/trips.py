"""Orders: to cut an agent off and to give it back. Each is one ledger transaction.

The registry is carried out in the same transaction as the order, so an agent is blocked there the
moment the order is durable, whatever else is down; other points are driven under leases
(`points`), and what the stream shows afterwards comes in through `watching`.
"""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from alerting.killswitch import BLOCKED, Cause, Direction, PointState, is_person, step
from monitor.errors import NotFoundError, UsageError
from monitor.ledger import agents, audit, grants, hold
from monitor.ledger.outcome import conclude, tell
from monitor.ledger.points import (
    Leased,
    any_due,
    give_up,
    lease_due,
    settle_point,
)
from monitor.ledger.probation import end_probation, probation_over
from monitor.ledger.renewal import REGISTRY, kill_again, number_above, try_now
from monitor.ledger.takeover import NO_LEASE, take_over
from monitor.ledger.trip import Point, Trip, automatic_since, get, list_trips
from monitor.ledger.watching import (
    FIRST_PLACE,
    NOTHING_SEEN,
    Watched,
    mark_silent,
    record_watch,
    watched,
)
from monitor.store.schema import points as points_table
from monitor.store.schema import trips
from monitor.store.sql import storable

__all__ = [
    "FIRST_PLACE",
    "NOTHING_SEEN",
    "REGISTRY",
    "Leased",
    "Point",
    "Trip",
    "Watched",
    "any_due",
    "automatic_since",
    "end_probation",
    "get",
    "give_up",
    "lease_due",
    "list_trips",
    "mark_silent",
    "number_above",
    "order_kill",
    "order_restore",
    "probation_over",
    "record_watch",
    "settle_point",
    "watched",
]


def order_kill(
    connection: Connection,
    *,
    agent_id: str,
    reason: str,
    ordered_by: str,
    automatic: bool,
    now_s: float,
    points: Sequence[str],
    receivers: Sequence[str],
    anomaly_id: str | None = None,
    anomaly_at: float | None = None,
    read_at: float | None = None,
    hold_id: str | None = None,
    after_seq: int = 0,
) -> Trip:
    """Cut an agent off, whether or not it was ever seen.

    An agent that is cut off already keeps its trip, and what that trip still has to do is tried
    at once. Where a hold ordered that trip and now a person orders it for this agent, lifting the
    hold leaves it alone. The same evidence orders one trip at most.

    Parameters
    ----------
    ordered_by
        `os:NAME` for a person, `rule:NAME` for a rule.
    points
        Names of the enforcement points; the registry is one of them in any case.
    receivers
        Who is told.
    anomaly_id, anomaly_at
        The evidence of an automatic trip.
    read_at
        When the daemon read that evidence.
    hold_id
        The order about many agents that it is part of; people are told of that one.
    after_seq
        The number of an order that points were given without this store; this one is above it.

    Returns
    -------
    Trip
        With `is_new` false if no new trip was ordered.
    """
    reason = storable(reason)
    agent = agents.lock(connection, agent_id, now_s)
    if agent.trip_id is not None and agent.state in BLOCKED:
        number_above(connection, agent_id, after_seq, now_s)
        if hold_id is None and is_person(ordered_by):
            kill_again(connection, agent.trip_id, reason=reason, ordered_by=ordered_by,
                       receivers=receivers, now_s=now_s)  # fmt: skip
        try_now(connection, agent.trip_id, now_s)
        return get(connection, agent.trip_id)
    if automatic and anomaly_id is not None:
        known = select(trips.c.trip_id).where(
            trips.c.agent_id == agent_id, trips.c.anomaly_id == anomaly_id
        )
        if trip_id := connection.execute(known).scalars().first():
            return get(connection, trip_id)
    trip_id = uuid.uuid4().hex[:12]
    order_seq = agents.next_seq(max(agent.order_seq, after_seq), now_s)
    state = step(agent.state, Cause.KILL_ORDERED)
    row = {
        "trip_id": trip_id,
        "agent_id": agent_id,
        "order_seq": order_seq,
        "automatic": automatic,
        "ordered_by": storable(ordered_by),
        "reason": reason,
        "anomaly_id": anomaly_id,
        "anomaly_at": anomaly_at,
        "read_at": read_at,
        "hold_id": hold_id,
        "ordered_at": now_s,
    }
    connection.execute(trips.insert(), row)
    unfinished, leases = take_over(connection, agent, now_s)
    of_points = []
    for name in sorted({REGISTRY, *points, *unfinished}):
        state_of_point = PointState.CONFIRMED if name == REGISTRY else PointState.PENDING
        values = _fresh("revoke", order_seq, state_of_point, now_s) | leases.get(name, NO_LEASE)
        of_points.append({"trip_id": trip_id, "point": name, **values})
    connection.execute(points_table.insert(), of_points)
    agents.enter(connection, agent_id, state, now_s, order_seq=order_seq, trip_id=trip_id)
    revoked = grants.revoke_all(connection, trip_id, agent_id, now_s)
    audit.append(
        connection,
        at_s=now_s,
        actor=ordered_by,
        action="kill ordered",
        subject=agent_id,
        doc={
            "trip_id": trip_id,
            "order_seq": order_seq,
            "automatic": automatic,
            "anomaly_id": anomaly_id,
            "hold_id": hold_id,
            "grants_revoked": revoked,
        },
        text={"reason": reason},
    )
    ordered = get(connection, trip_id, is_new=True)
    tell(connection, ordered, "trip_ordered", f"is being cut off: {reason}", receivers, now_s)
    return conclude(connection, ordered, receivers, now_s)


def order_restore(
    connection: Connection,
    *,
    agent_id: str,
    reason: str,
    ordered_by: str,
    now_s: float,
    probation_s: float,
    receivers: Sequence[str],
) -> Trip:
    """Give an agent back what its trip took; a person's order, with a reason.

    What was still to be revoked is not tried any more. A point that is being driven right now is
    told once that attempt has ended. An agent that is restored already keeps its trip. One that a
    hold refuses is taken out of it, also before the hold has ordered its trip: that is done first.

    Raises
    ------
    UsageError
        If no person orders it, or without a reason.
    NotFoundError
        If the agent was never cut off, and no hold that is on is about it.
    """
    if not is_person(ordered_by):
        raise UsageError(f"only a person restores an agent, not {ordered_by!r}")
    if not reason.strip():
        raise UsageError("a restore needs a reason")
    reason = storable(reason)
    agent = agents.lock(connection, agent_id, now_s)
    if agent.state not in BLOCKED and _obey_hold(connection, agent_id, receivers, now_s):
        agent = agents.lock(connection, agent_id, now_s)
    if agent.trip_id is None:
        raise NotFoundError(
            f"agent {agent_id!r:.200} was never cut off: nothing to restore; `tripswitch trips` "
            "lists who was"
        )
    if agent.state not in BLOCKED:
        try_now(connection, agent.trip_id, now_s)
        return get(connection, agent.trip_id)
    trip_id, order_seq = agent.trip_id, agents.next_seq(agent.order_seq, now_s)
    state = step(agent.state, Cause.RESTORE_ORDERED)
    hold.release(connection, agent_id, now_s)
    its_points = points_table.c.trip_id == trip_id
    # `lease_until` stays: a revocation under way must have ended before the restore is sent.
    turned = _fresh("restore", order_seq, PointState.PENDING, now_s)
    connection.execute(update(points_table).where(its_points).values(turned))
    connection.execute(
        update(points_table)
        .where(its_points, points_table.c.point == REGISTRY)
        .values(_fresh("restore", order_seq, PointState.CONFIRMED, now_s))
    )
    connection.execute(
        update(trips)
        .where(trips.c.trip_id == trip_id)
        .values(
            restore_ordered_at=now_s,
            restore_ordered_by=storable(ordered_by),
            restore_reason=reason,
            probation_s=probation_s,
        )
    )
    agents.enter(connection, agent_id, state, now_s, order_seq=order_seq)
    given_back = grants.give_back(connection, trip_id, agent_id, now_s)
    audit.append(
        connection,
        at_s=now_s,
        actor=ordered_by,
        action="restore ordered",
        subject=agent_id,
        doc={
            "trip_id": trip_id,
            "order_seq": order_seq,
            "grants_given_back": given_back,
        },
        text={"reason": reason},
    )
    return conclude(connection, get(connection, trip_id, is_new=True), receivers, now_s)


def _obey_hold(
    connection: Connection, agent_id: str, receivers: Sequence[str], now_s: float
) -> bool:
    """Order the trip of a hold that has not come to an agent yet; tells whether there is one."""
    hold_id = connection.execute(hold.covering(agent_id)).scalars().first()
    if hold_id is None:
        return False
    its = hold.get(connection, hold_id)
    order_kill(
        connection,
        agent_id=agent_id,
        reason=its.reason,
        ordered_by=its.ordered_by,
        automatic=False,
        now_s=now_s,
        points=(),  # the registry refuses it already; no other point was told
        receivers=receivers,
        hold_id=hold_id,
    )
    return True


def _fresh(direction: Direction, order_seq: int, state: PointState, now_s: float) -> dict[str, Any]:
    """What every point row says right after an order."""
    return {
        "direction": direction,
        "order_seq": order_seq,
        "state": state,
        "attempts": 0,
        "due_at": now_s,
        "settled_at": now_s if state is PointState.CONFIRMED else None,
        "last_error": None,
    }
