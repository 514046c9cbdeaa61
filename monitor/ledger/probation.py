"""The end of probation: agents that were restored become active by time alone."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from alerting.killswitch import AgentState, Cause, step
from monitor.ledger import agents, audit
from monitor.store.schema import agents as agents_table
from monitor.store.schema import trips


def probation_over(connection: Connection, now_s: float) -> Sequence[str]:
    """The agents whose probation is over, and who are not active yet."""
    query = (
        select(agents_table.c.agent_id)
        .join(trips, trips.c.trip_id == agents_table.c.trip_id)
        .where(
            agents_table.c.state == AgentState.PROBATION,
            trips.c.restored_at + func.coalesce(trips.c.probation_s, 0.0) <= now_s,
        )
    )
    return connection.execute(query).scalars().all()


def end_probation(connection: Connection, now_s: float) -> int:
    """Make the agents active whose probation is over; returns how many."""
    ended = 0
    for agent_id in probation_over(connection, now_s):
        agent = agents.lock(connection, agent_id, now_s)
        if agent.state is not AgentState.PROBATION:
            continue  # killed again in the meantime
        agents.enter(connection, agent_id, step(agent.state, Cause.PROBATION_OVER), now_s)
        audit.append(
            connection,
            at_s=now_s,
            actor="tripswitch",
            action="probation over",
            subject=agent_id,
            doc={"trip_id": agent.trip_id},
        )
        ended += 1
    return ended
