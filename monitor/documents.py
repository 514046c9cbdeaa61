"""What is told as JSON, by the command line and by the HTTP API alike; the names are a contract.

Times are RFC 3339.
"""

from datetime import UTC, datetime
from typing import Any

from alerting.grants import Decision, Grant
from alerting.killswitch import OPEN, AgentState
from monitor.ledger.agents import Standing
from monitor.ledger.approvals import Approval
from monitor.ledger.mutes import MuteRow
from monitor.ledger.tokens import Token
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
        "hold_id": trip.hold_id,
        "anomaly_id": trip.anomaly_id,
        "anomaly_at": iso(trip.anomaly_at),
        "read_at": iso(trip.read_at),
        "ordered_at": iso(trip.ordered_at),
        "contained_at": iso(trip.contained_at),
        "partial_at": iso(trip.partial_at),
        "early_count": trip.early_count,
        "last_early_at": iso(trip.last_early_at),
        "first_effective_at": iso(trip.first_effective_at),
        "last_effective_at": iso(trip.last_effective_at),
        "effective_count": trip.effective_count,
        "refused_count": trip.refused_count,
        "silent_at": iso(trip.silent_at),
        "anomaly_to_read_s": _rounded(trip.anomaly_to_read_s),
        "anomaly_to_order_s": _rounded(trip.anomaly_to_order_s),
        "order_to_containment_s": _rounded(trip.order_to_containment_s),
        "order_to_last_effective_s": _rounded(trip.order_to_last_effective_s),
        "time_to_silence_s": _rounded(trip.time_to_silence_s),
        "restore_ordered_at": iso(trip.restore_ordered_at),
        "restore_ordered_by": trip.restore_ordered_by,
        "restore_reason": trip.restore_reason,
        "restored_at": iso(trip.restored_at),
        "points": [_point_document(point) for point in trip.points],
    }


def _rounded(seconds: float | None) -> float | None:
    """To the microsecond: what is beyond it is noise of the subtraction."""
    return None if seconds is None else round(seconds, 6)


def _point_document(point: Point) -> dict[str, Any]:
    return {
        "point": point.point,
        "direction": point.direction,
        "order_seq": point.order_seq,
        "state": point.state,
        "attempts": point.attempts,
        "next_try_at": iso(point.due_at) if point.state in OPEN else None,
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


def decision_document(decision: Decision, now_s: float) -> dict[str, Any]:
    """The answer to a gateway as JSON; `grants` has the one on which a yes rests."""
    return {
        "agent_id": decision.agent_id,
        "state": decision.state,
        "scope": decision.scope,
        "allowed": decision.allowed,
        "reason": decision.reason,
        "grants": [grant_document(decision.grant, now_s)] if decision.grant else [],
    }


def standing_document(agent_id: str, standing: Standing | None) -> dict[str, Any]:
    """Where an agent stands as JSON; `since` is null if nobody ever ordered anything about it."""
    return {
        "agent_id": agent_id,
        "state": standing.state if standing else AgentState.ACTIVE,
        "since": iso(standing.since_s) if standing else None,
        "order_seq": standing.order_seq if standing else 0,
        "trip_id": standing.trip_id if standing else None,
    }


def approval_document(approval: Approval) -> dict[str, Any]:
    """An order that waits, or waited, for a person, as JSON."""
    return {
        "approval_id": approval.approval_id,
        "kind": approval.kind,
        "subject": approval.subject,
        "reason": approval.reason,
        "state": approval.state,
        "asked_by": approval.asked_by,
        "asked_at": iso(approval.asked_at),
        "expires_at": iso(approval.expires_at),
        "on_expiry": approval.on_expiry,
        "decided_by": approval.decided_by,
        "decided_at": iso(approval.decided_at),
        "decided_reason": approval.decided_reason,
        "anomaly_id": approval.anomaly_id,
    }


def token_document(token: Token, now_s: float) -> dict[str, Any]:
    """A token as JSON, without its secret."""
    return {
        "name": token.name,
        "role": token.role,
        "valid": token.is_valid(now_s),
        "created_by": token.created_by,
        "created_at": iso(token.created_at),
        "expires_at": iso(token.expires_at),
        "revoked_at": iso(token.revoked_at),
        "revoked_by": token.revoked_by,
    }


def mute_document(one: MuteRow) -> dict[str, Any]:
    """A mute."""
    matcher = one.matcher
    return {
        "mute_id": one.mute_id,
        "agent": matcher.agent,
        "role": matcher.role,
        "detector": matcher.detector,
        "target": matcher.target,
        "detectors": list(matcher.detectors),
        "tools_and_targets": [list(pair) for pair in matcher.tools_and_targets],
        "reason": one.reason,
        "muted_by": one.muted_by,
        "since": iso(one.since),
        "until": iso(one.until),
        "ended_at": iso(one.ended_at),
        "ended_by": one.ended_by,
        "hidden": one.hidden,
    }
