"""A trip as people read it."""

from alerting.killswitch import OPEN
from alerting.render import clean
from monitor.documents import iso
from monitor.ledger.trips import Point, Trip

MAX_AGENT_CHARS = 80
MAX_TEXT_CHARS = 300


def trip_lines(trip: Trip) -> list[str]:
    """A trip in lines for a terminal; no text in it can do harm there."""
    agent = clean(trip.agent_id, MAX_AGENT_CHARS)
    lines = [
        f"trip {trip.trip_id}  {agent}  {trip.state or 'over: a later trip took its place'}",
        f"  by {clean(trip.ordered_by)}: {clean(trip.reason, MAX_TEXT_CHARS)}",
    ]
    if trip.restore_ordered_by is not None:
        why = clean(trip.restore_reason or "", MAX_TEXT_CHARS)
        lines.append(f"  restored by {clean(trip.restore_ordered_by)}: {why}")
    counts = f"{trip.effective_count} effective, {trip.refused_count} refused since"
    if trip.early_count:
        counts += f"; {trip.early_count} between order and containment"
    lines += [f"  {', '.join(_times(trip))}; {counts}"]
    if took := _durations(trip):
        lines.append(f"  took: {', '.join(took)}")
    return [*lines, *map(point_line, trip.points)]


def _times(trip: Trip) -> list[str]:
    reached = {
        "evidence": trip.anomaly_at,
        "read": trip.read_at,
        "ordered": trip.ordered_at,
        "contained": trip.contained_at,
        "partly cut off": trip.partial_at,
        "last early": trip.last_early_at,
        "first effective": trip.first_effective_at,
        "last effective": trip.last_effective_at,
        "silent": trip.silent_at,
        "restore ordered": trip.restore_ordered_at,
        "restored": trip.restored_at,
    }
    return [f"{word} {iso(time_s)}" for word, time_s in reached.items() if time_s is not None]


def _durations(trip: Trip) -> list[str]:
    took = {
        "evidence to read": trip.anomaly_to_read_s,
        "evidence to order": trip.anomaly_to_order_s,
        "order to containment": trip.order_to_containment_s,
        "order to last action": trip.order_to_last_effective_s,
        "time to silence": trip.time_to_silence_s,
    }
    return [f"{word} {seconds:.3f} s" for word, seconds in took.items() if seconds is not None]


def point_line(point: Point) -> str:
    """One enforcement point in a line, with the reason if it has not confirmed."""
    line = f"  {clean(point.point, 40):<10} {point.direction} {point.state}"
    if point.attempts > 1:
        line += f" after {point.attempts} attempts"
    if point.settled_at is not None:
        line += f" at {iso(point.settled_at)}"
    if point.last_error and point.state in OPEN:
        line += f": {clean(point.last_error, MAX_TEXT_CHARS)}"
    return line
