"""An agent as JSON: what is known of it, where it stands, what is open about it."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from alerting.killswitch import AgentState
from baselines.summary import EPISODES_TO_LEARN, Learned
from monitor.roster import Entry

_LATEST_S: Final = 253_402_300_799.0  # 9999-12-31T23:59:59Z; what lies beyond is no date here
_EARLIEST_S: Final = -62_135_596_800.0


class State(StrEnum):
    """How well an agent is known, by its runs."""

    LEARNING = "learning"
    CALIBRATED = "calibrated"


def agent_document(entry: Entry) -> dict[str, Any]:
    """One agent as JSON; the names are a contract."""
    summary, order, alert = entry.known.summary, entry.standing, entry.alert
    return {
        "agent_id": summary.agent_id,
        "role": summary.role,
        "agent_version": summary.agent_version,
        "owner": entry.owner,
        "declared": entry.declared,
        "first_seen": event_iso(summary.first_seen_s),
        "last_seen": event_iso(summary.last_seen_s),
        "events": summary.events,
        **_learned_document(summary.learned["run"]),
        "learned": {family: _learned_document(of) for family, of in summary.learned.items()},
        "standing": order.state if order else AgentState.ACTIVE,
        "standing_since": event_iso(order.since_s) if order else None,
        "trip_id": order.trip_id if order else None,
        "live_grants": entry.live_grants,
        "alert": alert
        and {
            "alert_id": alert.alert_id,
            "severity": alert.severity.label,
            "state": alert.state,
            "opened_at": alert.opened_at.isoformat(),
            "anomaly_count": alert.anomaly_count,
        },
        "seen_in": [
            {"source": seen.source, "partition": seen.partition, "at": event_iso(seen.last_seen_s)}
            for seen in entry.known.sightings
        ],
    }


def _learned_document(learned: Learned) -> dict[str, Any]:
    return {
        "state": State.LEARNING if learned.since_s is None else State.CALIBRATED,
        "calibrated_since": None if learned.since_s is None else event_iso(learned.since_s),
        "episodes": learned.episodes,
        "episodes_to_learn": EPISODES_TO_LEARN,
    }


def event_iso(time_s: float) -> str:
    """Event time as RFC 3339; an agent may name a time that no calendar here reaches."""
    bounded_s = min(max(time_s, _EARLIEST_S), _LATEST_S)
    return datetime.fromtimestamp(bounded_s, UTC).isoformat(timespec="seconds")
