"""A trip as the ledger holds it: the order, its enforcement points, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, Select, bindparam, func, select

from alerting.killswitch import OPEN, AgentState, Direction, PointState
from monitor.errors import ExitCode, NotFoundError
from monitor.store.schema import agents, anomalies, points, trips


@dataclass(frozen=True, slots=True)
class Point:
    """One enforcement point of a trip: what it was last told, and whether it confirmed."""

    point: str
    direction: Direction
    order_seq: int
    state: PointState
    attempts: int
    due_at: float
    lease_until: float
    settled_at: float | None
    last_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """One trip. Times are seconds since the epoch.

    Parameters
    ----------
    state
        Where the agent stands under this trip; None once a later trip took over.
    read_at
        When the daemon read the evidence.
    partial_at
        When every point had confirmed or was given up by a person; then `contained_at` is None.
    effective_count, first_effective_at, last_effective_at
        Actions that succeeded although the agent was contained, or cut off partly.
    early_count, last_early_at
        Actions that succeeded after the order and before that.
    metered
        Bits of the stages that a process has taken into its metrics.
    is_new
        Whether the call that returned this trip ordered it, or found it.
    """

    trip_id: str
    agent_id: str
    order_seq: int
    automatic: bool
    ordered_by: str
    reason: str
    anomaly_id: str | None
    anomaly_at: float | None
    ordered_at: float
    read_at: float | None
    hold_id: str | None
    contained_at: float | None
    partial_at: float | None
    first_effective_at: float | None
    last_effective_at: float | None
    effective_count: int
    effective_told_at: float | None
    early_count: int
    last_early_at: float | None
    refused_count: int
    silent_at: float | None
    restore_ordered_at: float | None
    restore_ordered_by: str | None
    restore_reason: str | None
    restored_at: float | None
    probation_s: float | None
    metered: int
    state: AgentState | None
    points: tuple[Point, ...]
    is_new: bool = False

    @property
    def time_to_silence_s(self) -> float | None:
        """From the order to the moment since which nothing succeeded; None until it is silent."""
        if self.silent_at is None or self.held_at is None:
            return None
        return max(self.held_at, self.last_effective_at or self.held_at) - self.ordered_at

    @property
    def held_at(self) -> float | None:
        """When nothing was left to wait for: contained, or partly cut off by a person's word."""
        return self.contained_at or self.partial_at

    @property
    def anomaly_to_read_s(self) -> float | None:
        """From the action that was the evidence, in event time, to its being read."""
        return _between(self.anomaly_at, self.read_at)

    @property
    def anomaly_to_order_s(self) -> float | None:
        """From that action to the order."""
        return _between(self.anomaly_at, self.ordered_at)

    @property
    def order_to_containment_s(self) -> float | None:
        """From the order to the confirmation of the last point; None of a partial trip."""
        return _between(self.ordered_at, self.contained_at)

    @property
    def order_to_last_effective_s(self) -> float | None:
        """From the order to the last action that succeeded after it, effective or early."""
        last = [t for t in (self.last_early_at, self.last_effective_at) if t is not None]
        return _between(self.ordered_at, max(last, default=None))

    def verdict(self) -> ExitCode:
        """Whether every point confirmed, some are being retried, or some were given up."""
        states = {point.state for point in self.points}
        if states & OPEN:
            return ExitCode.PARTLY
        return ExitCode.FAILED if PointState.GIVEN_UP in states else ExitCode.DONE


def _between(start_s: float | None, end_s: float | None) -> float | None:
    return None if start_s is None or end_s is None else end_s - start_s


_TRIPS = select(trips, agents.c.state, agents.c.trip_id.label("current")).join(
    agents, agents.c.agent_id == trips.c.agent_id
)
_ONE = _TRIPS.where(trips.c.trip_id == bindparam("wanted"))
_POINTS = (
    select(points)
    .where(points.c.trip_id.in_(bindparam("trip_ids", expanding=True)))
    .order_by(points.c.point)
)
_AUTOMATIC = select(func.count()).where(
    trips.c.automatic, trips.c.ordered_at >= bindparam("since_s")
)


def get(connection: Connection, trip_id: str, *, is_new: bool = False) -> Trip:
    """One trip.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    found = _read(connection, _ONE, {"wanted": trip_id}, is_new=is_new)
    if not found:
        raise NotFoundError(f"no trip {trip_id!r:.60}; `tripswitch trips` lists them")
    return found[0]


def list_trips(connection: Connection, agent_id: str | None = None, limit: int = 50) -> list[Trip]:
    """Trips, of one agent or of all, the newest first."""
    query = _TRIPS.order_by(trips.c.ordered_at.desc(), trips.c.order_seq.desc()).limit(limit)
    if agent_id is not None:
        query = query.where(trips.c.agent_id == agent_id)
    return _read(connection, query)


def on_evidence_of(connection: Connection, alert_id: str, limit: int) -> list[Trip]:
    """Trips that an anomaly of this alert set off, the oldest first."""
    evidence = select(anomalies.c.anomaly_id).where(anomalies.c.alert_id == alert_id)
    query = _TRIPS.where(trips.c.anomaly_id.in_(evidence)).order_by(trips.c.ordered_at)
    return _read(connection, query.limit(limit))


def automatic_since(connection: Connection, since_s: float) -> int:
    """How many trips were ordered automatically since then."""
    return int(connection.execute(_AUTOMATIC, {"since_s": since_s}).scalar_one())


def _read(
    connection: Connection,
    query: Select[Any],
    values: Mapping[str, Any] | None = None,
    *,
    is_new: bool = False,
) -> list[Trip]:
    rows = connection.execute(query, values).mappings().all()
    its_points: dict[str, list[Point]] = {row["trip_id"]: [] for row in rows}
    for row in connection.execute(_POINTS, {"trip_ids": list(its_points)}):
        its_points[row.trip_id].append(_point(row))
    return [_trip(row, tuple(its_points[row["trip_id"]]), is_new) for row in rows]


def _trip(row: RowMapping, its_points: tuple[Point, ...], is_new: bool) -> Trip:
    values = dict(row)
    state, current = values.pop("state"), values.pop("current")
    is_current = current == values["trip_id"]
    return Trip(
        **values, state=AgentState(state) if is_current else None, points=its_points, is_new=is_new
    )


def _point(row: Row[Any]) -> Point:
    return Point(
        point=row.point,
        direction=row.direction,
        order_seq=row.order_seq,
        state=PointState(row.state),
        attempts=row.attempts,
        due_at=row.due_at,
        lease_until=row.lease_until,
        settled_at=row.settled_at,
        last_error=row.last_error,
    )
