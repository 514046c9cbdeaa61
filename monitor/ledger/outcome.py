"""What the points of a trip, taken together, come to; and telling people about it."""

from collections.abc import Sequence

from sqlalchemy import Connection, update

from alerting.incident import Incident
from alerting.killswitch import OPEN, AgentState, settle, step
from alerting.message import MessageKind
from alerting.trip_messages import trip_message
from monitor.ledger import agents, alerts, audit, incidents, outbox, trip
from monitor.store.schema import trips


def conclude(
    connection: Connection, now: trip.Trip, receivers: Sequence[str], now_s: float
) -> trip.Trip:
    """Move the agent on if all points of its present trip are settled. The agent is locked.

    Returns
    -------
    Trip
        As it is then.
    """
    trip_id, cause = now.trip_id, settle(point.state for point in now.points)
    if cause is None or now.state not in (AgentState.TRIPPING, AgentState.RESTORING):
        return now
    state = step(now.state, cause)
    agents.enter(connection, now.agent_id, state, now_s)
    times = {
        AgentState.CONTAINED: "contained_at",
        AgentState.PARTIAL: "partial_at",
        AgentState.PROBATION: "restored_at",
    }
    if state in times:
        connection.execute(
            update(trips).where(trips.c.trip_id == trip_id).values({times[state]: now_s})
        )
    audit.append(
        connection,
        at_s=now_s,
        actor="tripswitch",
        action=f"agent {state}",
        subject=now.agent_id,
        doc={"trip_id": trip_id, "cause": cause},
    )
    told: dict[AgentState, tuple[MessageKind, str]] = {
        AgentState.CONTAINED: ("trip_contained", "is cut off: every enforcement point confirmed"),
        AgentState.PARTIAL: ("trip_partial", "is cut off only partly: a point was given up"),
        AgentState.PROBATION: ("restored", "has its grants back and is on probation"),
    }
    kind, headline = told[state]
    ended = trip.get(connection, trip_id, is_new=now.is_new)
    tell(connection, ended, kind, headline, receivers, now_s)
    return ended


def tell(
    connection: Connection,
    about: trip.Trip,
    kind: MessageKind,
    headline: str,
    receivers: Sequence[str],
    now_s: float,
    *,
    occasion: str = "",
) -> None:
    """Put a message about a trip into the outbox; one per kind, order and occasion.

    Of an order about many agents people were told once: of its trips they hear only what does
    not work, once for each occasion.
    """
    if about.hold_id is not None and kind not in ("trip_partial", "trip_effective"):
        return
    seq = max((point.order_seq for point in about.points), default=about.order_seq)
    details: dict[str, str | None] = {
        "reason": about.restore_reason or about.reason,
        "ordered by": about.restore_ordered_by or about.ordered_by,
    }
    for point in about.points:
        error = f": {point.last_error}" if point.last_error and point.state in OPEN else ""
        details[point.point] = f"{point.direction} {point.state}{error}"
    if about.effective_count:
        details["effective actions"] = f"{about.effective_count:,} since it was cut off"
    if about.time_to_silence_s is not None:
        details["time to silence"] = f"{about.time_to_silence_s:.1f} s"
    message = trip_message(kind, about.agent_id, about.trip_id, headline, now_s, details)
    message = message.model_copy(update={"incident": _incident(connection, about)})
    identity = f"{kind}/{about.trip_id}/{seq}/{occasion}"
    if about.hold_id is not None and kind == "trip_partial":
        identity = f"{kind}/hold/{about.hold_id}/{occasion}"
    outbox.enqueue(connection, message, identity=identity, receivers=receivers, now_s=now_s)


def _incident(connection: Connection, about: trip.Trip) -> Incident | None:
    """The incident that people know and the trip belongs to: that of its evidence, or the open one.

    None where there is none; the trip is a story by itself then.
    """
    alert = alerts.gathering(connection, about.anomaly_id) if about.anomaly_id else None
    return incidents.told_of(connection, alert or alerts.open_alert(connection, about.agent_id))
