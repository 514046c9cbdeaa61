"""The takeover: what a new trip makes of what the agent's earlier ones have not ended yet."""

from typing import Any, Final

from sqlalchemy import Connection, select, update

from alerting.killswitch import OPEN, PointState
from monitor.ledger.agents import Standing
from monitor.store.schema import points, trips

NO_LEASE: Final = {"lease_owner": None, "lease_until": 0.0}


def take_over(
    connection: Connection, agent: Standing, now_s: float
) -> tuple[set[str], dict[str, dict[str, Any]]]:
    """End what the last trip still has open.

    Returns
    -------
    tuple
        The points of that, which the new trip drives, too, whoever ordered it: else a restore
        that a point still waits for would be lost. And the leases, of whichever trip of the
        agent, that the new orders must wait for.
    """
    if agent.trip_id is None:
        return set(), {}
    its = points.c.trip_id == agent.trip_id
    open_points = its & points.c.state.in_(sorted(OPEN))
    unfinished = set(connection.execute(select(points.c.point).where(open_points)).scalars())
    connection.execute(update(points).where(open_points).values(state=PointState.SUPERSEDED))
    running = (
        select(points.c.point, points.c.lease_owner, points.c.lease_until)
        .join(trips, trips.c.trip_id == points.c.trip_id)
        .where(trips.c.agent_id == agent.agent_id, points.c.lease_until > now_s)
        .order_by(points.c.lease_until)
    )
    leases = {
        row.point: {"lease_owner": row.lease_owner, "lease_until": row.lease_until}
        for row in connection.execute(running)
    }
    return unfinished, leases
