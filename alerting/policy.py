"""What becomes of an anomaly: which alert it joins, and whether it cuts the agent off. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Literal

from alerting.alert import Alert, alert_id
from detectors.finding import Anomaly, Severity


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


@dataclass(frozen=True, slots=True)
class Rule:
    """When an anomaly cuts its agent off; every condition that is given must hold.

    Parameters
    ----------
    name
        For people and the audit.
    enforce
        False: only say what would have been done.
    severity
        At least this severe.
    detectors, roles, agents
        Shell patterns; an empty one does not narrow.
    """

    name: str
    enforce: bool = False
    severity: Severity = Severity.CRITICAL
    detectors: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()

    def matches(self, anomaly: Anomaly) -> bool:
        """Whether the rule is about this anomaly."""
        return (
            anomaly.severity >= self.severity
            and _narrows(self.detectors, anomaly.detector)
            and _narrows(self.roles, anomaly.role or "")
            and _narrows(self.agents, anomaly.agent_id)
        )


def _narrows(patterns: Sequence[str], text: str) -> bool:
    return not patterns or any(fnmatchcase(text, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Guards:
    """What holds an automatic trip back. A person's order passes them all.

    Parameters
    ----------
    max_per_hour
        Automatic trips of the whole fleet in any hour.
    protected_agents
        Shell patterns of agents that only a person may cut off.
    max_event_age_s
        Nothing automatic on evidence older than this.
    """

    max_per_hour: int = 5
    protected_agents: tuple[str, ...] = ()
    max_event_age_s: float = 900.0

    def objection(
        self, anomaly: Anomaly, alert: Alert, now: datetime, tripped_last_hour: int
    ) -> str | None:
        """Why not to trip automatically, in words; None if nothing speaks against it."""
        age_s = (now - anomaly.time).total_seconds()
        if any(fnmatchcase(anomaly.agent_id, pattern) for pattern in self.protected_agents):
            return "the agent is protected: only a person may cut it off"
        if not alert.calibrated:
            return "every finding so far is uncalibrated"
        if age_s > self.max_event_age_s:
            return (
                f"the evidence is {age_s:.0f} s old, over the limit of {self.max_event_age_s:.0f} s"
            )
        if tripped_last_hour >= self.max_per_hour:
            return f"{tripped_last_hour} automatic trips in the last hour reach the cap"
        return None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a rule makes of an anomaly: `trip`, `would_trip` (mode observe) or `held` by a guard."""

    outcome: Literal["trip", "would_trip", "held"]
    rule: Rule
    reason: str


def decide_trip(
    rules: Sequence[Rule],
    guards: Guards,
    anomaly: Anomaly,
    alert: Alert,
    now: datetime,
    tripped_last_hour: int,
) -> Decision | None:
    """What the first matching rule makes of an anomaly; rules that enforce come first.

    Nothing is made of one in shadow, whatever the rules say.

    Parameters
    ----------
    rules, guards
        From the config.
    anomaly, alert
        The new anomaly and the alert that it joined.
    now
        As for `fold`.
    tripped_last_hour
        Automatic trips of the whole fleet in the hour up to `now`.
    """
    if anomaly.shadow:
        return None
    rule = next((r for r in sorted(rules, key=lambda r: not r.enforce) if r.matches(anomaly)), None)
    if rule is None:
        return None
    objection = guards.objection(anomaly, alert, now, tripped_last_hour)
    if objection is not None:
        return Decision("held", rule, objection) if rule.enforce else None
    reason = f"rule {rule.name}: {anomaly.text}"
    return Decision("trip" if rule.enforce else "would_trip", rule, reason)
