"""What is told as JSON, by the command line and by the HTTP API alike; the names are a contract.

Times are RFC 3339.
"""

from datetime import UTC, datetime
from typing import Any

from alerting.grants import Grant
from monitor.ledger.trip import Point, Trip


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


def grant_document(grant: Grant, now_s: float) -> dict[str, Any]:
    """A grant as JSON; one without an end is `standing`."""
    return {
        "grant_id": grant.grant_id,
        "agent_id": grant.agent_id,
        "scope": grant.scope,
        "valid": grant.is_valid(now_s),
        "standing": grant.expires_at is None,
        "reason": grant.reason,
        "granted_by": grant.granted_by,
        "granted_at": iso(grant.granted_at),
        "expires_at": iso(grant.expires_at),
        "revoked_at": iso(grant.revoked_at),
        "revoked_by": grant.revoked_by,
    }
