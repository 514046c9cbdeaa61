"""An incident: alerts of one or many agents that are one story, told in one thread."""

import hashlib
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from alerting.alert import Alert, AlertState
from detectors.finding import Severity, SeverityField

MAX_NAMED: Final = 20
"""So many agents are named; of the others there is a count."""
MAX_DETECTORS: Final = 20
MAX_CRITICAL_MESSAGES: Final = 5
"""So many critical alerts that join an incident are told one by one."""
REMIND_FROM: Final = Severity.HIGH
MAX_REMIND_S: Final = 86_400.0
"""Each reminder comes twice as long after the one before, up to this."""

Bond = Literal["agent", "trace", "delegation", "version", "role", "fleet"]
"""What its agents have in common: `agent` where there is but one, `fleet` in a storm."""
IncidentNews = Literal["opened", "raised", "storm", "critical", "updated"]
"""Of what is new about an incident; `critical`: one more of its agents does what is critical."""


class Incident(BaseModel):
    """One story. Its severity only rises; its thread is the same until it is over.

    Attributes
    ----------
    alert_id
        The alert that speaks for it: the first of the highest severity.
    agents
        Those that turned odd first, at most `MAX_NAMED`; of all there are `agent_count`.
    bond, common
        What the agents have in common, and which: a trace's id, a version, a role.
    factors
        What most of its alerts have in common: kind, value, share of the alerts.
    owner
        Who is responsible, as the settings say.
    is_told
        Whether people have heard of it.
    criticals
        How many critical alerts were told one by one.
    reminders, reopened
        How often people were reminded of it, and how often a repeat opened it again.
    """

    model_config = ConfigDict(frozen=True)

    incident_id: str
    state: AlertState = "open"
    severity: SeverityField
    opened_at: datetime
    last_anomaly_at: datetime
    alert_id: str = ""
    agents: tuple[str, ...]
    agent_count: int = 1
    anomaly_count: int = 1
    detectors: tuple[str, ...] = ()
    bond: Bond = "agent"
    common: str | None = None
    factors: tuple[tuple[str, str, float], ...] = ()
    owner: str | None = None
    is_told: bool = False
    criticals: int = 0
    reminders: int = 0
    reopened: int = 0

    @property
    def is_open(self) -> bool:
        """Whether one of its alerts is."""
        return self.state in ("open", "acknowledged")

    @property
    def sentence(self) -> str:
        """What its agents have in common, for people."""
        if self.agent_count == 1:
            return "one agent"
        shares = ", ".join(f"{kind} {value} ({share:.0%})" for kind, value, share in self.factors)
        if self.bond == "fleet":
            return f"{self.agent_count:,} agents within minutes; in common: {shares or 'nothing'}"
        bonds = {"trace": "one run", "delegation": "one chain of delegation"}
        what = bonds.get(self.bond) or f"{self.bond} {self.common or ''}".rstrip()
        return f"{self.agent_count:,} agents of {what}"


def incident_id(first_alert_id: str) -> str:
    """Deterministic id of the incident that a given alert begins."""
    return hashlib.sha256(f"incident/{first_alert_id}".encode()).hexdigest()[:12]


def began(alert: Alert) -> bool:
    """Whether the alert began its incident, and joined none."""
    return alert.incident_id == incident_id(alert.alert_id)


def begin(alert: Alert) -> Incident:
    """The incident of an alert that joins no other."""
    return Incident(
        incident_id=incident_id(alert.alert_id),
        severity=alert.severity,
        opened_at=alert.opened_at,
        last_anomaly_at=alert.last_anomaly_at,
        alert_id=alert.alert_id,
        agents=(alert.agent_id,),
        anomaly_count=0,
        detectors=alert.detectors[:MAX_DETECTORS],
    )


def bind(incident: Incident, alert: Alert, bond: Bond, common: str | None) -> Incident:
    """The incident with one more agent's alert; a bond that it has already stays."""
    named = incident.agents
    if alert.agent_id in named:
        return incident
    changes: dict[str, object] = {"agent_count": incident.agent_count + 1}
    if len(named) < MAX_NAMED:
        changes["agents"] = (*named, alert.agent_id)
    if incident.bond == "agent":
        changes |= {"bond": bond, "common": common}
    return incident.model_copy(update=changes)


def gather(incident: Incident, alert: Alert) -> Incident:
    """The incident after one more anomaly of one of its alerts, as this alert is now."""
    detectors = incident.detectors
    more = tuple(name for name in alert.detectors if name not in detectors)
    if more:
        detectors = (*detectors, *more)[:MAX_DETECTORS]
    changes: dict[str, object] = {
        "anomaly_count": incident.anomaly_count + 1,
        "last_anomaly_at": max(incident.last_anomaly_at, alert.last_anomaly_at),
        "detectors": detectors,
    }
    if alert.severity > incident.severity and (alert.is_told or not incident.is_told):
        changes |= {"severity": alert.severity, "alert_id": alert.alert_id}
    if alert.state == "open":
        changes["state"] = "open"
    return incident.model_copy(update=changes)


def reminder_due_at(incident: Incident, told_at: datetime, remind_s: float) -> datetime | None:
    """When people are to be reminded that nobody has acknowledged it; None: never."""
    if incident.state != "open" or not incident.is_told or incident.severity < REMIND_FROM:
        return None
    wait_s = remind_s * 2.0 ** min(incident.reminders, 30)
    return told_at + timedelta(seconds=min(wait_s, max(remind_s, MAX_REMIND_S)))
