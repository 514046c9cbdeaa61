"""The renewal: an order that finds its agent cut off, or given back, already; what is done then."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, and_, or_, update

from alerting.killswitch import OPEN, PointState
from monitor.ledger import agents, audit
from monitor.ledger.outcome import tell
from monitor.ledger.trip import get
from monitor.store.schema import points as points_table
from monitor.store.schema import trips

REGISTRY: Final = "registry"
"""The point that every trip has: the grants in this store."""


def kill_again(
    connection: Connection,
    trip_id: str,
    *,
    reason: str,
    ordered_by: str,
    receivers: Sequence[str],
    now_s: float,
) -> None:
    """Write down that a person wants an agent cut off that is so already. The agent is locked.

    If a hold cut it off, lifting the hold leaves it alone from now on.
    """
    before = get(connection, trip_id)
    audit.append(
        connection,
        at_s=now_s,
        actor=ordered_by,
        action="kill ordered again",
        subject=before.agent_id,
        doc={"trip_id": trip_id, "hold_id": before.hold_id},
        text={"reason": reason},
    )
    if before.hold_id is None:
        return
    connection.execute(update(trips).where(trips.c.trip_id == trip_id).values(hold_id=None))
    headline = f"stays cut off when the hold is lifted, {ordered_by} orders: {reason}"
    tell(connection, get(connection, trip_id), "trip_ordered", headline, receivers, now_s)


def try_now(connection: Connection, trip_id: str, now_s: float) -> None:
    """Make all that a trip still has to do due: asked again, a person does not want to wait."""
    connection.execute(
        update(points_table)
        .where(points_table.c.trip_id == trip_id, points_table.c.state.in_(sorted(OPEN)))
        .values(due_at=now_s)
    )


def number_above(
    connection: Connection, agent_id: str, order_seq: int, now_s: float
) -> agents.Standing:
    """Number an agent's orders above a kill that points were told of without this store.

    What its present trip still has to do, and a restore in any case, is sent again under the new
    number: the points take all below for outdated.
    """
    agent = agents.lock(connection, agent_id, now_s)
    if order_seq <= agent.order_seq:
        return agent
    agents.enter(connection, agent_id, agent.state, agent.since_s, order_seq=order_seq + 1)
    point = points_table.c
    restored = and_(point.direction == "restore", point.state == PointState.CONFIRMED)
    connection.execute(
        update(points_table)
        .where(
            point.trip_id == agent.trip_id,
            point.point != REGISTRY,
            or_(point.state.in_(sorted(OPEN)), restored),
        )
        .values(order_seq=order_seq + 1, state=PointState.PENDING, due_at=now_s, settled_at=None)
    )
    return agents.lock(connection, agent_id, now_s)
