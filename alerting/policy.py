"""What becomes of an anomaly: which alert it joins, and what of that is news. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from alerting.alert import Alert, alert_id
from detectors.finding import Anomaly


@dataclass(frozen=True, slots=True)
class Folded:
    """An alert after one more anomaly.

    Attributes
    ----------
    alert
        As it is now.
    news
        Whether it was `opened`, its severity `raised`, or None: nothing that needs telling again.
    closed
        The agent's former alert, if it had been quiet for so long that this is another story.
    """

    alert: Alert
    news: Literal["opened", "raised"] | None
    closed: Alert | None = None


def fold(current: Alert | None, anomaly: Anomaly, now: datetime, quiet_s: float) -> Folded:
    """Add an anomaly to the agent's open alert, or open one.

    Parameters
    ----------
    current
        The agent's open alert, if it has one.
    anomaly
        New: not one of those that the alert already has.
    now
        The clock in the live service, event time in a replay.
    quiet_s
        After so long without an anomaly an alert is over.
    """
    closed = None
    if current is not None and (now - current.last_anomaly_at).total_seconds() > quiet_s:
        closed, current = resolve_quiet(current, quiet_s), None
    learned = anomaly.calibration != "uncalibrated"
    if current is None:
        alert = Alert(
            alert_id=alert_id(anomaly.anomaly_id),
            agent_id=anomaly.agent_id,
            role=anomaly.role,
            severity=anomaly.severity,
            opened_at=now,
            last_anomaly_at=now,
            anomaly_count=1,
            detectors=(anomaly.detector,),
            worst=anomaly,
            calibrated=learned,
        )
        return Folded(alert, "opened", closed)
    rose = anomaly.severity > current.severity
    detectors = current.detectors
    if anomaly.detector not in detectors:
        detectors = (*detectors, anomaly.detector)
    alert = current.model_copy(
        update={
            "severity": max(current.severity, anomaly.severity),
            "last_anomaly_at": max(current.last_anomaly_at, now),
            "anomaly_count": current.anomaly_count + 1,
            "detectors": detectors,
            "worst": anomaly if rose else current.worst,
            "calibrated": current.calibrated or learned,
        }
    )
    return Folded(alert, "raised" if rose else None)


def resolve_quiet(alert: Alert, quiet_s: float) -> Alert:
    """The alert, resolved because nothing more happened for `quiet_s`."""
    return resolve(
        alert,
        alert.last_anomaly_at + timedelta(seconds=quiet_s),
        by="quiet",
        reason=f"no anomaly for {quiet_s / 60:.0f} minutes",
    )


def resolve(alert: Alert, now: datetime, *, by: str, reason: str) -> Alert:
    """The alert, resolved."""
    return alert.model_copy(
        update={
            "state": "resolved",
            "resolved_at": now,
            "resolved_by": by,
            "resolved_reason": reason,
        }
    )
