"""What is old: settled rows that nobody asks for any more are forgotten; the audit keeps its chain.

What is in force is never forgotten, and neither is an agent's last trip, nor a revoked grant that
would still be valid: `grants import` of an older file could revive it. Tokens are kept, since a
name is used once, and so are claims and where agents stand: a row each.
"""

from sqlalchemy import Connection, delete, func, select

from alerting.killswitch import OPEN
from monitor.ledger.settled import TRIP_IS_OVER
from monitor.store.schema import (
    agents,
    approvals,
    grants,
    hold_members,
    holds,
    mutes,
    pauses,
    points,
    trips,
    watches,
)


def prune_trips(connection: Connection, before_s: float) -> None:
    """Forget trips that were over by then, and orders about many that were lifted."""
    latest = select(agents.c.trip_id).where(agents.c.trip_id.is_not(None))
    driven = select(points.c.trip_id).where(points.c.state.in_(OPEN))
    over = select(trips.c.trip_id).where(
        TRIP_IS_OVER,
        trips.c.trip_id.not_in(latest),
        trips.c.trip_id.not_in(driven),
        func.coalesce(trips.c.restored_at, trips.c.ordered_at) < before_s,
    )
    for table in (points, watches):
        connection.execute(delete(table).where(table.c.trip_id.in_(over)))
    connection.execute(delete(trips).where(trips.c.trip_id.in_(over)))
    busy = select(hold_members.c.hold_id).where(hold_members.c.released_at.is_(None))
    lifted = select(holds.c.hold_id).where(
        holds.c.lifted_at < before_s, holds.c.hold_id.not_in(busy)
    )
    ids = connection.execute(lifted).scalars().all()  # the members that tell would go first
    connection.execute(delete(hold_members).where(hold_members.c.hold_id.in_(ids)))
    connection.execute(delete(holds).where(holds.c.hold_id.in_(ids)))


def prune_decisions(connection: Connection, before_s: float) -> None:
    """Forget questions that were answered by then, and pauses and mutes that had ended."""
    answered = func.coalesce(approvals.c.decided_at, approvals.c.expires_at)
    connection.execute(delete(approvals).where(approvals.c.state != "waiting", answered < before_s))
    connection.execute(delete(pauses).where(pauses.c.ended_at < before_s))
    connection.execute(delete(mutes).where(mutes.c.ended_at < before_s))


def prune_grants(connection: Connection, before_s: float) -> None:
    """Forget grants whose own end had come by then."""
    connection.execute(delete(grants).where(grants.c.expires_at < before_s))
