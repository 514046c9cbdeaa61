"""A trip as people and scripts read it; the JSON is a contract."""

from datetime import UTC, datetime
from typing import Any

from alerting.killswitch import OPEN
from alerting.render import clean
from monitor.ledger.trips import Point, Trip

MAX_AGENT_CHARS = 80
MAX_TEXT_CHARS = 300


def iso(time_s: float | None) -> str | None:
    """Seconds since the epoch as RFC 3339, to the millisecond."""
    if time_s is None:
        return None
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds")


def trip_document(trip: Trip) -> dict[str, Any]:
    """A trip as JSON. Times are RFC 3339; `state` is null once a later trip took over."""
    return {
        "trip_id": trip.trip_id,
        "agent_id": trip.agent_id,
        "state": trip.state,
        "automatic": trip.automatic,
        "ordered_by": trip.ordered_by,
        "reason": trip.reason,
        "anomaly_id": trip.anomaly_id,
        "ordered_at": iso(trip.ordered_at),
        "contained_at": iso(trip.contained_at),
        "first_effective_at": iso(trip.first_effective_at),
        "last_effective_at": iso(trip.last_effective_at),
        "effective_count": trip.effective_count,
        "refused_count": trip.refused_count,
        "silent_at": iso(trip.silent_at),
        "time_to_silence_s": trip.time_to_silence_s,
        "restore_ordered_at": iso(trip.restore_ordered_at),
        "restore_ordered_by": trip.restore_ordered_by,
        "restore_reason": trip.restore_reason,
        "restored_at": iso(trip.restored_at),
        "points": [_point_document(point) for point in trip.points],
    }


def _point_document(point: Point) -> dict[str, Any]:
    return {
        "point": point.point,
        "direction": point.direction,
        "state": point.state,
        "attempts": point.attempts,
        "settled_at": iso(point.settled_at),
        "error": point.last_error,
    }


def trip_lines(trip: Trip) -> list[str]:
    """A trip in lines for a terminal; no text in it can do harm there."""
    reached = {
        "ordered": trip.ordered_at,
        "contained": trip.contained_at,
        "last effective": trip.last_effective_at,
        "silent": trip.silent_at,
        "restore ordered": trip.restore_ordered_at,
        "restored": trip.restored_at,
    }
    times = [f"{word} {iso(time_s)}" for word, time_s in reached.items() if time_s is not None]
    if trip.time_to_silence_s is not None:
        times.append(f"time to silence {trip.time_to_silence_s:.1f} s")
    agent = clean(trip.agent_id, MAX_AGENT_CHARS)
    lines = [
        f"trip {trip.trip_id}  {agent}  {trip.state or 'over: a later trip took its place'}",
        f"  by {clean(trip.ordered_by)}: {clean(trip.reason, MAX_TEXT_CHARS)}",
    ]
    if trip.restore_ordered_by is not None:
        why = clean(trip.restore_reason or "", MAX_TEXT_CHARS)
        lines.append(f"  restored by {clean(trip.restore_ordered_by)}: {why}")
    counts = f"{trip.effective_count} effective, {trip.refused_count} refused since"
    return [*lines, f"  {', '.join(times)}; {counts}", *map(point_line, trip.points)]


def point_line(point: Point) -> str:
    """One enforcement point in a line, with the reason if it has not confirmed."""
    line = f"  {clean(point.point, 40):<10} {point.direction} {point.state}"
    if point.last_error and point.state in OPEN:
        line += f": {clean(point.last_error, MAX_TEXT_CHARS)}"
    return line
