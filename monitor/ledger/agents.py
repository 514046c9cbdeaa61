"""Where agents stand. Whoever changes anything about an agent locks its row first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, select, update

from alerting.killswitch import AgentState
from monitor.ledger import audit
from monitor.store.schema import agents
from monitor.store.sql import insert_if_missing

_MAX_PARAMETERS: Final = 500
_LOCKED: Final = select(agents).where(agents.c.agent_id == bindparam("wanted")).with_for_update()
_STATE: Final = select(agents.c.state).where(agents.c.agent_id == bindparam("wanted"))


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one agent stands, and the last order about it."""

    agent_id: str
    state: AgentState
    order_seq: int
    trip_id: str | None
    since_s: float


def lock(connection: Connection, agent_id: str, now_s: float) -> Standing:
    """Lock an agent until the transaction ends, making its row if it has none."""
    audit.lock(connection)  # always before an agent's row, so that nobody waits in a circle
    active = {"state": AgentState.ACTIVE, "order_seq": 0, "since": now_s}
    insert_if_missing(connection, agents, {"agent_id": agent_id, **active})
    return _standing(connection.execute(_LOCKED, {"wanted": agent_id}).one())


def next_seq(order_seq: int, now_s: float) -> int:
    """The number of an agent's next order: the clock in milliseconds, or one above its last.

    Points ignore a number lower than what they were told: so a store that was put back from a
    backup, or made anew, goes on above what it has forgotten.
    """
    return max(order_seq + 1, int(now_s * 1000))


def standings(connection: Connection, agent_ids: Sequence[str]) -> dict[str, Standing]:
    """Where these agents stand, of those that anybody ever granted or ordered anything."""
    found = {}
    for start in range(0, len(agent_ids), _MAX_PARAMETERS):
        some = agent_ids[start : start + _MAX_PARAMETERS]
        for row in connection.execute(select(agents).where(agents.c.agent_id.in_(some))):
            found[row.agent_id] = _standing(row)
    return found


def ids(connection: Connection, *, after: str = "", limit: int = 1000) -> Sequence[str]:
    """Agents that anybody ever granted or ordered anything, in order, from `after` on."""
    query = select(agents.c.agent_id).where(agents.c.agent_id > after)
    return connection.execute(query.order_by(agents.c.agent_id).limit(limit)).scalars().all()


def _standing(row: Row[Any]) -> Standing:
    return Standing(row.agent_id, AgentState(row.state), row.order_seq, row.trip_id, row.since)


def state_of(connection: Connection, agent_id: str) -> AgentState:
    """The agent's state; an agent that nobody ever ordered about is active."""
    state = connection.execute(_STATE, {"wanted": agent_id}).scalar_one_or_none()
    return AgentState.ACTIVE if state is None else AgentState(state)


def enter(
    connection: Connection, agent_id: str, state: AgentState, now_s: float, **values: Any
) -> None:
    """Put a locked agent into a state."""
    connection.execute(
        update(agents)
        .where(agents.c.agent_id == agent_id)
        .values(state=state, since=now_s, **values)
    )
