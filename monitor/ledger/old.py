"""What is old: settled rows that nobody asks for any more are forgotten; the audit keeps its chain.

What is in force is never forgotten, and neither is an agent's last trip, nor a revoked grant that
would still be valid: `grants import` of an older file could revive it. Tokens are kept, since a
name is used once, and so are claims and where agents stand: a row each.
"""

from typing import Final

from sqlalchemy import Connection, delete, func, select

from alerting.killswitch import OPEN
from monitor.ledger.forgetting import BATCH, forget_some
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

_TRIPS: Final = BATCH // 10
"""So many in one transaction: each takes its points along, and a watch for each partition."""


def prune_trips(connection: Connection, before_s: float) -> int:
    """Forget some trips that were over by then, and orders about many that were lifted.

    Returns
    -------
    int
        How many rows went; 0: nothing of that is left.
    """
    is_last = select(agents.c.agent_id).where(
        agents.c.agent_id == trips.c.agent_id, agents.c.trip_id == trips.c.trip_id
    )
    is_driven = select(points.c.point).where(
        points.c.trip_id == trips.c.trip_id, points.c.state.in_(OPEN)
    )
    over = select(trips.c.trip_id).where(
        TRIP_IS_OVER,
        ~is_last.exists(),
        ~is_driven.exists(),
        func.coalesce(trips.c.restored_at, trips.c.ordered_at) < before_s,
    )
    ids = connection.execute(over.limit(_TRIPS)).scalars().all()
    if ids:
        for table in (points, watches, trips):
            connection.execute(delete(table).where(table.c.trip_id.in_(ids)))
    return len(ids) + _prune_holds(connection, before_s)


def _prune_holds(connection: Connection, before_s: float) -> int:
    busy = select(hold_members.c.hold_id).where(hold_members.c.released_at.is_(None))
    lifted = select(holds.c.hold_id).where(
        holds.c.lifted_at < before_s, holds.c.hold_id.not_in(busy)
    )
    members = forget_some(connection, hold_members, hold_members.c.hold_id.in_(lifted))
    left = select(hold_members.c.agent_id).where(hold_members.c.hold_id == holds.c.hold_id)
    return members + forget_some(connection, holds, holds.c.hold_id.in_(lifted), ~left.exists())


def prune_decisions(connection: Connection, before_s: float) -> int:
    """Forget some questions that were answered by then, and pauses and mutes that had ended.

    Returns
    -------
    int
        How many rows went; 0: nothing of that is left.
    """
    answered = func.coalesce(approvals.c.decided_at, approvals.c.expires_at)
    return (
        forget_some(connection, approvals, approvals.c.state != "waiting", answered < before_s)
        + forget_some(connection, pauses, pauses.c.ended_at < before_s)
        + forget_some(connection, mutes, mutes.c.ended_at < before_s)
    )


def prune_grants(connection: Connection, before_s: float) -> int:
    """Forget some grants whose own end had come by then; returns how many."""
    return forget_some(connection, grants, grants.c.expires_at < before_s)
