"""A hold as the ledger has it: an order about a role, or about every agent, while it is on."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    exists,
    func,
    or_,
    select,
    update,
)

from alerting.killswitch import BLOCKED, OPEN, AgentState, PointState
from monitor.errors import NotFoundError
from monitor.store.schema import agents, hold_members, holds, points, trips
from monitor.store.sql import insert_if_missing

_CONTAINED = (AgentState.CONTAINED, AgentState.SILENT)


@dataclass(frozen=True, slots=True)
class Hold:
    """An order about many agents. Times are seconds since the epoch.

    Attributes
    ----------
    hold_id
        That of the approval which it comes from.
    role
        Whose agents it is about; None: every agent.
    ordered_by, confirmed_by
        The two persons.
    lifted_at
        When a person ended it; None while it is on.
    probation_s
        Of the agents that are given back then.
    """

    hold_id: str
    role: str | None
    reason: str
    ordered_by: str
    confirmed_by: str | None
    ordered_at: float
    lifted_at: float | None
    lifted_by: str | None
    lifted_reason: str | None
    probation_s: float | None

    @property
    def about(self) -> str:
        """Whom it is about, in the audit's words."""
        return "all agents" if self.role is None else f"role:{self.role}"


class Progress(NamedTuple):
    """How many agents a hold is known to be about, and where they stand."""

    agents: int
    waiting: int
    """Refused by the registry already; their trips are still to be ordered."""
    contained: int
    released: int
    """Given back by a person."""


def get(connection: Connection, hold_id: str) -> Hold:
    """One hold.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    found = _read(connection, select(holds).where(holds.c.hold_id == hold_id))
    if not found:
        raise NotFoundError(f"no hold {hold_id!r:.60}; `tripswitch holds` lists them")
    return found[0]


def list_holds(connection: Connection, limit: int = 50) -> list[Hold]:
    """Holds, the newest first; those that are on before those that were lifted."""
    newest = select(holds).order_by(holds.c.lifted_at.is_not(None), holds.c.ordered_at.desc())
    return _read(connection, newest.limit(limit))


def active(connection: Connection) -> list[Hold]:
    """The holds that are on, the oldest first."""
    query = select(holds).where(holds.c.lifted_at.is_(None)).order_by(holds.c.ordered_at)
    return _read(connection, query)


def on(connection: Connection, role: str | None) -> Hold | None:
    """The hold that is on about exactly this role, or about every agent."""
    return next((hold for hold in active(connection) if hold.role == role), None)


def require(connection: Connection, role: str | None) -> Hold:
    """The hold that is on about exactly this role, or about every agent.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    found = on(connection, role)
    if found is None:
        whom = "all agents" if role is None else f"role {role!r:.200}"
        raise NotFoundError(f"no hold is on about {whom}; `tripswitch holds` lists them")
    return found


def cut_off_by(connection: Connection, hold_id: str) -> list[tuple[str, str]]:
    """Agents that this hold, and nothing else, keeps cut off, with their states."""
    query = (
        select(agents.c.agent_id, agents.c.state)
        .join(trips, trips.c.trip_id == agents.c.trip_id)
        .where(trips.c.hold_id == hold_id, agents.c.state.in_(sorted(BLOCKED)))
    )
    rows = connection.execute(query.order_by(agents.c.agent_id)).all()
    return [(row.agent_id, row.state) for row in rows]


def has_work(connection: Connection, hold_id: str) -> bool:
    """Whether members are still to be cut off, or once it is lifted, to be given back."""
    waits = or_(holds.c.lifted_at.is_not(None), hold_members.c.trip_id.is_(None))
    query = (
        select(1)
        .join(holds, holds.c.hold_id == hold_members.c.hold_id)
        .where(hold_members.c.hold_id == hold_id, hold_members.c.released_at.is_(None), waits)
    )
    return connection.execute(query.limit(1)).first() is not None


def point_states(connection: Connection, hold_id: str) -> set[PointState]:
    """How the enforcement points of its trips stand, all together."""
    query = (
        select(points.c.state)
        .join(hold_members, hold_members.c.trip_id == points.c.trip_id)
        .where(hold_members.c.hold_id == hold_id)
    )
    return {PointState(state) for state in connection.execute(query.distinct()).scalars()}


def is_any_tried(
    connection: Connection, hold_id: str, names: Collection[str], now_s: float
) -> bool:
    """Whether one of these points of its trips is being tried now, or is due to be."""
    query = (
        select(1)
        .join(hold_members, hold_members.c.trip_id == points.c.trip_id)
        .where(
            hold_members.c.hold_id == hold_id,
            points.c.state.in_(sorted(OPEN)),
            points.c.point.in_(sorted(names)),
            or_(points.c.lease_until > now_s, points.c.due_at <= now_s),
        )
    )
    return connection.execute(query.limit(1)).first() is not None


def unfinished(connection: Connection) -> list[Hold]:
    """The holds that are on, and those that were lifted and whose agents are not all given back."""
    kept = exists().where(
        hold_members.c.hold_id == holds.c.hold_id, hold_members.c.released_at.is_(None)
    )
    query = select(holds).where(or_(holds.c.lifted_at.is_(None), kept))
    return _read(connection, query.order_by(holds.c.ordered_at))


def progress(connection: Connection, hold_id: str) -> Progress:
    """How far a hold is."""
    member = hold_members.c
    kept = member.released_at.is_(None)
    counts = select(
        func.count(),
        func.count(case((and_(kept, member.trip_id.is_(None)), 1))),
        func.count(case((and_(kept, agents.c.state.in_(_CONTAINED)), 1))),
        func.count(member.released_at),
    ).select_from(hold_members.outerjoin(agents, agents.c.agent_id == member.agent_id))
    return Progress(*connection.execute(counts.where(member.hold_id == hold_id)).one())


def covering(agent_id: str | BindParameter[str]) -> Select[Any]:
    """The holds that are on and that this agent is known to be under, the oldest first.

    Every agent is under one about all of them, unless a person restored it meanwhile.
    """
    member = and_(hold_members.c.hold_id == holds.c.hold_id, hold_members.c.agent_id == agent_id)
    return (
        select(holds.c.hold_id)
        .outerjoin(hold_members, member)
        .where(
            holds.c.lifted_at.is_(None),
            hold_members.c.released_at.is_(None),
            or_(holds.c.role.is_(None), hold_members.c.agent_id.is_not(None)),
        )
        .order_by(holds.c.ordered_at)
    )


def is_held(agent_id: str | BindParameter[str]) -> ColumnElement[bool]:
    """Whether a hold refuses this agent everything, as part of another statement."""
    return covering(agent_id).order_by(None).exists()


def release(connection: Connection, agent_id: str, now_s: float) -> None:
    """Take an agent out of the holds that are on: a person restores it in spite of them."""
    about_all = select(holds.c.hold_id).where(holds.c.lifted_at.is_(None), holds.c.role.is_(None))
    for hold_id in connection.execute(about_all).scalars().all():
        insert_if_missing(connection, hold_members, {"hold_id": hold_id, "agent_id": agent_id})
    are_on = select(holds.c.hold_id).where(holds.c.lifted_at.is_(None))
    connection.execute(
        update(hold_members)
        .where(
            hold_members.c.agent_id == agent_id,
            hold_members.c.released_at.is_(None),
            hold_members.c.hold_id.in_(are_on),
        )
        .values(released_at=now_s)
    )


def _read(connection: Connection, query: Select[Any]) -> list[Hold]:
    return [Hold(**row) for row in connection.execute(query).mappings()]
