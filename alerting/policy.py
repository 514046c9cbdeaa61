"""What becomes of an anomaly: which alert it joins, and what of that is news. Pure.

Rules
-----
1. An agent has one open alert at most; its severity only rises.
2. What repeats a story joins it: an alert that quiet has closed is opened again without telling
   anybody anew; one that a person has closed is closed, and the repeat opens another. A repeat of
   what was expected is expected, too, unless it is more severe.
3. A rise asks for eyes again: an alert that was acknowledged is open after it.
4. What is hidden (muted, or explained by something else) raises only what is hidden itself; the
   first anomaly that is not brings a hidden alert out.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from alerting.alert import QUIET, Alert, alert_id
from detectors.finding import Anomaly

AlertNews = Literal["opened", "raised", "reopened"]


@dataclass(frozen=True, slots=True)
class Hidden:
    """Why an anomaly is not told: by which mute, or what explains it; one of them is given."""

    muted_by: str | None = None
    inhibited_by: str | None = None

    @property
    def words(self) -> str:
        """For people."""
        return self.inhibited_by or f"mute {self.muted_by}"


@dataclass(frozen=True, slots=True)
class Folded:
    """An alert after one more anomaly.

    Attributes
    ----------
    alert
        As it is now.
    news
        Whether it was `opened` (or came out after it was hidden), its severity `raised`, or
        `reopened` by a repeat; None: nothing that needs noting.
    closed
        The agent's former alert, if it had been quiet for so long that this is another story.
    hidden
        Why nothing of it is told, if the anomaly is hidden.
    kept_back
        Whether something would be told otherwise: a rise, or that there is an alert at all.
    """

    alert: Alert
    news: AlertNews | None
    closed: Alert | None = None
    hidden: Hidden | None = None
    kept_back: bool = False


def fold(
    current: Alert | None,
    anomaly: Anomaly,
    now: datetime,
    quiet_s: float,
    *,
    former: Alert | None = None,
    hidden: Hidden | None = None,
) -> Folded:
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
    former
        Where none is open: the agent's last alert.
    hidden
        Why the anomaly is not to be told, if it is not.
    """
    closed = None
    if current is not None and not anomaly.repeat and is_quiet(current, now, quiet_s):
        closed, current = resolve_quiet(current, quiet_s), None
    if current is None and former is not None and anomaly.repeat:
        if former.state == "resolved" and former.resolved_by == QUIET:
            return _reopen(former, anomaly, now, hidden)
        if former.state == "expected" and anomaly.severity <= former.severity:
            return Folded(_joined(former, anomaly, now), None)
    if current is None:
        return _open(anomaly, now, closed, hidden)
    if hidden is not None and not current.is_hidden:
        joined = _joined(current, anomaly, now)
        same = _changed(joined, severity=current.severity, worst=current.worst)
        rise = anomaly.severity > current.severity
        return Folded(same, None, hidden=hidden, kept_back=rise)
    joined = _joined(current, anomaly, now)
    if current.is_hidden and hidden is None:
        return Folded(_changed(joined, muted_by=None, inhibited_by=None), "opened")
    rose = anomaly.severity > current.severity
    if rose and current.state == "acknowledged":
        joined = _changed(joined, state="open", acknowledged_by=None)
    return Folded(joined, "raised" if rose else None, hidden=hidden)


def is_quiet(alert: Alert, now: datetime, quiet_s: float) -> bool:
    """Whether nothing has joined the alert for so long that it is over."""
    return (now - alert.last_anomaly_at).total_seconds() > quiet_s


def _open(anomaly: Anomaly, now: datetime, closed: Alert | None, hidden: Hidden | None) -> Folded:
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
        calibrated=_learned(anomaly),
        muted_by=hidden.muted_by if hidden else None,
        inhibited_by=hidden.inhibited_by if hidden else None,
    )
    return Folded(alert, "opened", closed, hidden, kept_back=hidden is not None)


def _reopen(former: Alert, anomaly: Anomaly, now: datetime, hidden: Hidden | None) -> Folded:
    again = _changed(
        former,
        state="open",
        acknowledged_by=None,
        resolved_at=None,
        resolved_by=None,
        resolved_reason=None,
    )
    folded = fold(_changed(again, last_anomaly_at=now), anomaly, now, 0.0, hidden=hidden)
    return replace(folded, news=folded.news or "reopened")


def _joined(alert: Alert, anomaly: Anomaly, now: datetime) -> Alert:
    detectors = alert.detectors
    if anomaly.detector not in detectors:
        detectors = (*detectors, anomaly.detector)
    return _changed(
        alert,
        severity=max(alert.severity, anomaly.severity),
        last_anomaly_at=max(alert.last_anomaly_at, now),
        anomaly_count=alert.anomaly_count + 1,
        detectors=detectors,
        worst=anomaly if anomaly.severity > alert.severity else alert.worst,
        calibrated=alert.calibrated or _learned(anomaly),
    )


def _learned(anomaly: Anomaly) -> bool:
    return anomaly.calibration != "uncalibrated"


def _changed(alert: Alert, **changes: Any) -> Alert:
    return alert.model_copy(update=changes)


def acknowledge(alert: Alert, *, by: str) -> Alert:
    """The alert, seen by somebody who looks after it."""
    return _changed(alert, state="acknowledged", acknowledged_by=by)


def resolve_quiet(alert: Alert, quiet_s: float) -> Alert:
    """The alert, resolved because nothing more happened for `quiet_s`."""
    return resolve(
        alert,
        alert.last_anomaly_at + timedelta(seconds=quiet_s),
        by=QUIET,
        reason=f"no anomaly for {quiet_s / 60:.0f} minutes",
    )


def resolve(
    alert: Alert,
    now: datetime,
    *,
    by: str,
    reason: str,
    state: Literal["resolved", "expected"] = "resolved",
) -> Alert:
    """The alert, resolved, or said to be as it should be."""
    return _changed(alert, state=state, resolved_at=now, resolved_by=by, resolved_reason=reason)
