"""The grants registry: who may do what, asked by gateways before each action. Default is no."""

import uuid
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, String, bindparam, func, or_, select, update

from alerting import grants as grants_of
from alerting.grants import Decision, Grant
from alerting.killswitch import BLOCKED, AgentState
from monitor.errors import NotFoundError, UsageError
from monitor.ledger import agents, audit, hold
from monitor.store.schema import agents as agents_table
from monitor.store.schema import grants
from monitor.store.sql import storable

MAX_TIME_S: Final = 253_402_300_799.0
"""The end of the year 9999."""

_MAX_PARAMETERS: Final = 500
_TOLD: Final = 100
"""So many of its latest grants are looked through for why an agent may not."""

_AGENT: Final = bindparam("of_agent", type_=String)
_HELD: Final = (
    select(grants, agents_table.c.state, hold.is_held(_AGENT).label("held"))
    .outerjoin(agents_table, agents_table.c.agent_id == grants.c.agent_id)
    .where(
        grants.c.agent_id == _AGENT,
        grants.c.revoked_at.is_(None),
        or_(grants.c.expires_at.is_(None), grants.c.expires_at > bindparam("now_s")),
    )
)
"""What an agent holds now, and its state: one statement, for a kill between two would be missed.

Built once: it is asked before each action of each agent.
"""


def add(
    connection: Connection,
    *,
    agent_id: str,
    scope: str,
    reason: str,
    granted_by: str,
    now_s: float,
    expires_at: float | None = None,
) -> str:
    """Grant a scope and return the grant's id.

    To an agent that is cut off nothing is granted: the grant is recorded as revoked by
    `blocked:TRIP` (or the hold's id), and no restore ever gives it back.

    Raises
    ------
    UsageError
        If it would last longer than any calendar tells.
    """
    if expires_at is not None and not now_s < expires_at <= MAX_TIME_S:
        raise UsageError(
            "a grant ends after now and before the year 10000, or it is a standing one"
        )
    agent = agents.lock(connection, agent_id, now_s)
    held = connection.execute(hold.covering(agent_id)).scalars().first()
    by = agent.trip_id if agent.state in BLOCKED else held
    blocked = by is not None
    grant_id = uuid.uuid4().hex
    connection.execute(
        grants.insert().values(
            grant_id=grant_id,
            agent_id=agent_id,
            scope=storable(scope),
            reason=storable(reason),
            granted_by=granted_by,
            granted_at=now_s,
            expires_at=expires_at,
            revoked_at=now_s if blocked else None,
            revoked_by=f"blocked:{by}" if blocked else None,
        )
    )
    audit.append(
        connection,
        at_s=now_s,
        actor=granted_by,
        action="grant refused, agent is cut off" if blocked else "grant added",
        subject=agent_id,
        doc={"grant_id": grant_id, "expires_at": expires_at},
        text={"scope": scope, "reason": reason},
    )
    return grant_id


def revoke(
    connection: Connection, grant_id: str, by: str, now_s: float, *, reason: str = ""
) -> Grant:
    """Revoke one grant for good, also one that a trip holds and a restore would give back.

    Raises
    ------
    NotFoundError
        If there is no such grant.
    """
    audit.lock(connection)
    query = select(grants).where(grants.c.grant_id == grant_id)
    row = connection.execute(query.with_for_update()).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"no grant {grant_id!r:.60}; `tripswitch grants` lists them")
    grant = Grant(**row)
    if grant.revoked_at is not None and not str(grant.revoked_by).startswith("trip:"):
        return grant
    connection.execute(
        update(grants).where(grants.c.grant_id == grant_id).values(revoked_at=now_s, revoked_by=by)
    )
    audit.append(
        connection,
        at_s=now_s,
        actor=by,
        action="grant revoked",
        subject=grant.agent_id,
        doc={"grant_id": grant_id},
        text={"scope": grant.scope, "reason": reason},
    )
    return get(connection, grant_id)


def get(connection: Connection, grant_id: str) -> Grant:
    """One grant that exists."""
    row = connection.execute(select(grants).where(grants.c.grant_id == grant_id)).mappings().one()
    return Grant(**row)


def decide(connection: Connection, agent_id: str, scope: str, now_s: float) -> Decision:
    """Whether the agent is not cut off and holds a valid grant that covers the scope, and why.

    Every call reads the store: what another process revoked is refused from then on.
    """
    rows = connection.execute(_HELD, {"of_agent": agent_id, "now_s": now_s}).mappings()
    held, state = [], None
    for row in rows:
        values = dict(row)
        state = AgentState(values.pop("state") or AgentState.ACTIVE)
        if values.pop("held") and state not in BLOCKED:
            state = AgentState.TRIPPING  # by an order about many that is being carried out
        held.append(Grant(**values))
    if state is None:  # it holds nothing: whatever its state, the answer is no
        state = agents.state_of(connection, agent_id)
    decision = grants_of.decide(agent_id, state, held, scope, now_s)
    if decision.allowed or state in BLOCKED:
        return decision
    # What it held before only tells why not; nothing read here can allow.
    latest = list_grants(connection, agent_id, _TOLD)
    ended = [grant for grant in latest if not grant.is_valid(now_s)]
    return grants_of.decide(agent_id, state, ended, scope, now_s)


def allows(connection: Connection, agent_id: str, scope: str, now_s: float) -> bool:
    """The decision alone."""
    return decide(connection, agent_id, scope, now_s).allowed


def list_grants(
    connection: Connection, agent_id: str | None = None, limit: int | None = 1000
) -> list[Grant]:
    """Grants, of one agent or of all, the newest first."""
    query = select(grants).order_by(grants.c.granted_at.desc(), grants.c.grant_id).limit(limit)
    if agent_id is not None:
        query = query.where(grants.c.agent_id == agent_id)
    return [Grant(**row) for row in connection.execute(query).mappings()]


def count_live(connection: Connection, agent_ids: Sequence[str], now_s: float) -> dict[str, int]:
    """How many valid grants each of these agents holds, of those that hold any."""
    counted: dict[str, int] = {}
    for start in range(0, len(agent_ids), _MAX_PARAMETERS):
        query = (
            select(grants.c.agent_id, func.count())
            .where(
                grants.c.agent_id.in_(agent_ids[start : start + _MAX_PARAMETERS]),
                grants.c.revoked_at.is_(None),
                or_(grants.c.expires_at.is_(None), grants.c.expires_at > now_s),
            )
            .group_by(grants.c.agent_id)
        )
        counted.update((agent_id, count) for agent_id, count in connection.execute(query))
    return counted


def revoke_all(connection: Connection, trip_id: str, agent_id: str, now_s: float) -> int:
    """Revoke every grant of the agent on behalf of a trip; returns how many."""
    return connection.execute(
        update(grants)
        .where(grants.c.agent_id == agent_id, grants.c.revoked_at.is_(None))
        .values(revoked_at=now_s, revoked_by=f"trip:{trip_id}")
    ).rowcount


def give_back(connection: Connection, trip_id: str, agent_id: str, now_s: float) -> int:
    """Give back what this trip revoked and what has not expired since; returns how many."""
    return connection.execute(
        update(grants)
        .where(
            grants.c.agent_id == agent_id,
            grants.c.revoked_by == f"trip:{trip_id}",
            or_(grants.c.expires_at.is_(None), grants.c.expires_at > now_s),
        )
        .values(revoked_at=None, revoked_by=None)
    ).rowcount
