"""The figures at the end: from the ledger, and from the simulator what only it can know."""

from pathlib import Path
from typing import Any

from monitor.demo.narrate import Narrator
from monitor.demo.play import VICTIM, Outcome


def sum_up(outcome: Outcome, narrator: Narrator) -> None:
    """Tell the figures."""
    trip = outcome.trip
    figures = document(outcome)
    narrator.chapter("Summary")
    for name, value in (
        ("actions in the days before", f"{outcome.history:,}"),
        ("anomalies in those days", f"{outcome.past_anomalies}, in {outcome.past_alerts} alerts"),
        ("actions while you watched", f"{outcome.sent.events}"),
        ("alert", f"{outcome.alert.alert_id} on {VICTIM}, {outcome.alert.severity.label}"),
        ("  its reason", outcome.evidence.text),
        ("  noticed by", ", ".join(outcome.alert.detectors)),
        ("trip", f"{trip.trip_id}, by {trip.ordered_by}"),
        ("  from that action to the order", _seconds(figures["evidence_to_order_s"])),
        ("  from the order to containment", _seconds(figures["order_to_containment_s"])),
        ("  enforcement points", ", ".join(f"{p.point} {p.state}" for p in trip.points)),
        ("wrong actions that came through", f"{figures['wrong_actions_through']}"),
        ("attempts refused", f"{trip.refused_count}"),
        ("succeeded after containment", f"{trip.effective_count}"),
        ("from the order to silence", _seconds(figures["time_to_silence_s"])),
        ("  seen to be silent after another", _seconds(figures["silence_watched_s"])),
    ):
        narrator.figure(name, value)


def document(outcome: Outcome, config: Path | None = None) -> dict[str, Any]:
    """The figures as `--json` prints them; durations in seconds."""
    trip, alert = outcome.trip, outcome.alert
    contained_at = trip.contained_at or trip.ordered_at
    silence_s = trip.time_to_silence_s or 0.0
    through = sum(n for status, n in outcome.wrong.items() if status != "denied")
    return {
        "config": str(config) if config else None,
        "history_events": outcome.history,
        "history_alerts": outcome.past_alerts,
        "history_anomalies": outcome.past_anomalies,
        "live_events": outcome.sent.events,
        "agent_id": trip.agent_id,
        "alert_id": alert.alert_id,
        "alert_severity": alert.severity.label,
        "alert_text": outcome.evidence.text,
        "detectors": list(alert.detectors),
        "trip_id": trip.trip_id,
        "evidence_to_order_s": round(trip.ordered_at - outcome.evidence.time.timestamp(), 3),
        "order_to_containment_s": round(contained_at - trip.ordered_at, 3),
        "points": {point.point: point.state for point in trip.points},
        "wrong_actions_through": through,
        "refused": trip.refused_count,
        "effective_after_containment": trip.effective_count,
        "time_to_silence_s": round(silence_s, 3),
        "silence_watched_s": round((trip.silent_at or 0.0) - trip.ordered_at - silence_s, 3),
    }


def _seconds(value: float) -> str:
    return f"{value:.2f} s"
