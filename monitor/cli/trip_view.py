"""A trip as people read it."""

from alerting.killswitch import OPEN
from alerting.render import clean
from monitor.documents import iso
from monitor.ledger.trips import Point, Trip

MAX_AGENT_CHARS = 80
MAX_TEXT_CHARS = 300


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
