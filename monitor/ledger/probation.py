"""Probation: agents that were restored are held to tighter limits, and then active by time alone.

Limits are tightened by a directive at the places where the agent's profiles are.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from alerting.killswitch import AgentState, Cause, step
from monitor.ledger import agents, audit, directives
from monitor.store.schema import agents as agents_table
from monitor.store.schema import directives as directives_table
from monitor.store.schema import trips

KIND = "probation"


class Untaught(NamedTuple):
    """A probation that no profile has heard of yet."""

    agent_id: str
    by: str
    reason: str
    until_s: float


def untaught(connection: Connection, now_s: float) -> list[Untaught]:
    """The probations that last and for which there is no directive."""
    ends = select(
        agents_table.c.agent_id,
        trips.c.restore_ordered_by,
        trips.c.restore_reason,
        trips.c.restored_at,
        func.coalesce(trips.c.probation_s, 0.0).label("lasts_s"),
    ).join(trips, trips.c.trip_id == agents_table.c.trip_id)
    on = connection.execute(ends.where(agents_table.c.state == AgentState.PROBATION)).all()
    new = [
        Untaught(row.agent_id, row.restore_ordered_by, row.restore_reason,
                 row.restored_at + row.lasts_s)
        for row in on
    ]  # fmt: skip
    return [one for one in new if one.until_s > now_s and not _is_taught(connection, one)]


def teach(
    connection: Connection,
    places: Mapping[str, Sequence[tuple[str, int]]],
    now_s: float,
) -> int:
    """Write directives for the probations that need them; returns how many.

    Parameters
    ----------
    places
        By agent: source and partition of each of its profiles.
    """
    audit.lock(connection)  # so that two daemons never do it both
    written = 0
    for one in untaught(connection, now_s):
        for place in places.get(one.agent_id, ()):
            directives.order(
                connection,
                agent_id=one.agent_id,
                kind=KIND,
                by=one.by,
                actor="tripswitch",
                reason=one.reason,
                place=place,
                now_s=now_s,
                until=one.until_s,
            )
            written += 1
    return written


def _is_taught(connection: Connection, one: Untaught) -> bool:
    known = directives_table.c
    query = select(1).where(
        known.agent_id == one.agent_id, known.kind == KIND, known.until == one.until_s
    )
    return connection.execute(query.limit(1)).first() is not None


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
