"""The kill switch as data: states of an agent, what moves it between them, and nothing else.

    active | probation | restoring -> tripping -> contained -> silent
    silent -> contained                 an action succeeded after all
    tripping -> partial                 a person gave up a named point
    tripping | partial | contained | silent -> restoring -> probation -> active

Rules
-----
1. Every order, kill or restore, takes the agent's next `order_seq`; an enforcement point ignores
   an order lower than the last one it has seen.
2. A trip's points are fixed when it is ordered. A restore turns each of them round: what was
   pending is cancelled by that, for the row now carries the restore's `order_seq`.
3. Contained means that *every* point confirmed. Partly is said as partly.
4. Only a person restores; nothing in this table does so by time alone.
5. A kill while the last trip is still being restored supersedes that trip's open points.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict


class AgentState(StrEnum):
    """Where an agent stands."""

    ACTIVE = "active"
    TRIPPING = "tripping"
    PARTIAL = "partial"
    CONTAINED = "contained"
    SILENT = "silent"
    RESTORING = "restoring"
    PROBATION = "probation"


class Cause(StrEnum):
    """What can move an agent from one state to another."""

    KILL_ORDERED = "kill ordered"
    POINTS_CONFIRMED = "every point confirmed"
    POINT_GIVEN_UP = "a person gave up the last unconfirmed point"
    QUIET = "the stream shows silence"
    EFFECTIVE_ACTION = "an action succeeded after containment"
    RESTORE_ORDERED = "restore ordered"
    PROBATION_OVER = "probation is over"


S, C = AgentState, Cause

TRANSITIONS: Final[dict[tuple[AgentState, Cause], AgentState]] = {
    (S.ACTIVE, C.KILL_ORDERED): S.TRIPPING,
    (S.PROBATION, C.KILL_ORDERED): S.TRIPPING,
    (S.RESTORING, C.KILL_ORDERED): S.TRIPPING,
    (S.TRIPPING, C.POINTS_CONFIRMED): S.CONTAINED,
    (S.TRIPPING, C.POINT_GIVEN_UP): S.PARTIAL,
    (S.CONTAINED, C.QUIET): S.SILENT,
    (S.SILENT, C.EFFECTIVE_ACTION): S.CONTAINED,
    (S.TRIPPING, C.RESTORE_ORDERED): S.RESTORING,
    (S.PARTIAL, C.RESTORE_ORDERED): S.RESTORING,
    (S.CONTAINED, C.RESTORE_ORDERED): S.RESTORING,
    (S.SILENT, C.RESTORE_ORDERED): S.RESTORING,
    (S.RESTORING, C.POINTS_CONFIRMED): S.PROBATION,
    (S.RESTORING, C.POINT_GIVEN_UP): S.PROBATION,
    (S.PROBATION, C.PROBATION_OVER): S.ACTIVE,
}

BLOCKED: Final = frozenset((S.TRIPPING, S.PARTIAL, S.CONTAINED, S.SILENT))
"""States in which no grant of the agent is valid."""


PERSONS: Final = ("os:", "slack:", "token:")
"""How the name of an actor begins who is a person; a rule's begins with `rule:`."""


class IllegalTransitionError(ValueError):
    """What was asked makes no sense in the state that the agent is in."""


def step(state: AgentState, cause: Cause) -> AgentState:
    """The next state.

    Raises
    ------
    IllegalTransitionError
        If the table has no such transition.
    """
    try:
        return TRANSITIONS[state, cause]
    except KeyError:
        raise IllegalTransitionError(f"an agent that is {state} knows no '{cause}'") from None


class PointState(StrEnum):
    """Where one enforcement point stands with one order."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    """Several attempts went wrong; it is tried on until it confirms or is given up."""
    GIVEN_UP = "given up"
    SUPERSEDED = "superseded"
    """A later trip of the same agent took over; this one's order is no longer sent."""


OPEN: Final = frozenset((PointState.PENDING, PointState.FAILED))
"""Points that are still to be driven."""


Direction = Literal["revoke", "restore"]


class Order(BaseModel):
    """What an enforcement point is told. Orders of one agent are numbered by `order_seq`."""

    model_config = ConfigDict(frozen=True)

    trip_id: str
    agent_id: str
    direction: Direction
    order_seq: int
    reason: str
    ordered_by: str
    ordered_at: datetime


def is_person(actor: str) -> bool:
    """Whether an order of this actor is a person's order."""
    return actor.startswith(PERSONS)


def settle(points: Iterable[PointState]) -> Cause | None:
    """What the points of a trip, taken together, cause; None while one is still to be driven.

    `FAILED` is no end: the point is tried again until it confirms or a person gives it up.
    """
    states = set(points)
    if states <= {PointState.CONFIRMED}:
        return Cause.POINTS_CONFIRMED
    if states <= {PointState.CONFIRMED, PointState.GIVEN_UP}:
        return Cause.POINT_GIVEN_UP
    return None
