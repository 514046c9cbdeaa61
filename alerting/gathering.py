"""A gathering: which alerts of different agents are one story, and what of that is news. Pure.

An alert that is opened joins an open incident

1. of the same run, or of an agent to which its agent delegated or that delegated to it;
2. in a storm, the fleet's: more agents than `storm_agents` turned odd within `together_s`;
3. lately (within `together_s`) of an agent that had its work from the same agent;
4. lately of an agent of the same role and version;
5. lately of agents of its version, or else of its role, where these are three with it;

or else begins its own. An alert is in one incident, for good. What is hidden joins nobody.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from math import inf
from typing import Final

from alerting import incident as incidents
from alerting.alert import Alert
from alerting.incident import MAX_CRITICAL_MESSAGES, Bond, Incident, IncidentNews
from alerting.lately import Lately
from alerting.policy import Folded
from alerting.tally import Tally
from detectors.finding import Anomaly, Severity

_LEAST_SHARE: Final = 0.5
"""What at least so large a part of an incident's alerts has is what they have in common."""

_Place = tuple[str, Bond, str | None]


class Gathering:
    """Open incidents, and what leads a new alert to one of them.

    Parameters
    ----------
    together_s, storm_agents
        As the module says.
    quiet_s
        After so long without an anomaly an incident is over.
    known
        Open incidents; all that the other parameters name.
    of_trace, of_agent, of_parent
        By trace, by agent with an open alert, and by the agent that delegated: the incident.
    recent
        Alerts that were opened lately, the oldest first.
    expected
        How many more agents are known to turn odd now: so a storm is seen with its first alert.

    Attributes
    ----------
    incidents, tallies
        By id.
    changed
        Incidents that are not as they were, in order of their first change.
    """

    def __init__(
        self,
        together_s: float,
        storm_agents: int,
        *,
        quiet_s: float = inf,
        known: Iterable[tuple[Incident, Tally]] = (),
        of_trace: Mapping[str, str] | None = None,
        of_agent: Mapping[str, str] | None = None,
        of_parent: Mapping[str, str] | None = None,
        recent: Iterable[Alert] = (),
        expected: int = 0,
    ) -> None:
        self.incidents: dict[str, Incident] = {}
        self.tallies: dict[str, Tally] = {}
        for incident, tally in known:
            self.incidents[incident.incident_id] = incident
            self.tallies[incident.incident_id] = tally
        self.changed: dict[str, None] = {}
        self._storm_agents = storm_agents
        self._quiet_s = quiet_s
        self._of_trace = dict(of_trace or {})
        self._of_agent = dict(of_agent or {})
        self._of_parent = dict(of_parent or {})
        self._lately = Lately(
            together_s, (alert for alert in recent if alert.incident_id in self.incidents)
        )
        self._expected = expected
        fleets = (i for i, one in self.incidents.items() if one.bond == "fleet")
        self._fleet = next((i for i in fleets if self._lately.by_incident[i]), None)
        self._broke_out: set[str] = set()
        """Incidents that have just become the fleet's, and of which nobody was told that."""

    def place(self, folded: Folded, anomaly: Anomaly, now: datetime) -> Folded:
        """Find the incident of an alert that has none yet, or begin its own."""
        alert = folded.alert
        if alert.incident_id in self.incidents:
            return folded
        found = None if alert.is_hidden else self._find(anomaly, now)
        if found is None:
            incident = incidents.begin(alert)
            if not alert.is_hidden and self._is_storm(anomaly.agent_id):
                incident = incident.model_copy(update={"bond": "fleet"})
                self._fleet = incident.incident_id
        else:
            incident = incidents.bind(self.incidents[found[0]], alert, found[1], found[2])
        self._put(incident)
        alert = alert.model_copy(update={"incident_id": incident.incident_id})
        self.tallies.setdefault(incident.incident_id, Tally()).add(anomaly)
        if not alert.is_hidden:
            self._lately.add(alert)
            self._expected = max(0, self._expected - 1)
        return replace(folded, alert=alert)

    def is_told(self, alert: Alert) -> bool:
        """Whether people know of the incident that an alert was placed in."""
        return self.incidents[alert.incident_id].is_told

    def take(self, folded: Folded, anomaly: Anomaly) -> IncidentNews | None:
        """Count a placed anomaly in; what of it is news about the incident, if anything."""
        alert = folded.alert
        before = self.incidents[alert.incident_id]
        incident = incidents.gather(before, alert)
        news = self._news(before, incident, folded)
        changes: dict[str, object] = {}
        if folded.news == "reopened":
            changes["reopened"] = incident.reopened + 1
        if folded.news == "opened" and incident.agent_count > 1:
            tally = self.tallies[incident.incident_id]
            changes["factors"] = tally.most_common(_LEAST_SHARE)
        if news is not None and news != "updated" and _is_critical(alert):
            changes["criticals"] = incident.criticals + 1
        if news == "opened":
            changes["is_told"] = True
        self._put(incident.model_copy(update=changes) if changes else incident)
        if alert.is_open and not alert.is_hidden:
            self._link(self._of_agent, alert.agent_id, alert)
            self._link(self._of_trace, anomaly.trace_id, alert)
            self._link(self._of_parent, anomaly.parent_agent_id, alert)
        return news

    def _news(self, before: Incident, after: Incident, folded: Folded) -> IncidentNews | None:
        alert = folded.alert
        if not (alert.is_open and alert.is_told) or folded.hidden is not None:
            return None
        broke_out = after.incident_id in self._broke_out
        self._broke_out.discard(after.incident_id)
        if not before.is_told:
            return "opened"
        if after.severity > before.severity:
            return "raised"
        newly = folded.news in ("opened", "raised") and _is_critical(alert)
        if newly and after.agent_count > 1 and before.criticals < MAX_CRITICAL_MESSAGES:
            return "critical"
        return "storm" if broke_out else "updated"

    def _find(self, anomaly: Anomaly, now: datetime) -> _Place | None:
        """The incident to join, and what binds it; None: none."""
        trace, parent = anomaly.trace_id, anomaly.parent_agent_id
        role, version = anomaly.role, anomaly.agent_version
        lately = self._lately
        lately.pass_to(now)
        if (found := self._open(self._of_trace, trace, now)) is not None:
            return found, "trace", trace
        if (found := self._open(self._of_parent, anomaly.agent_id, now)) is not None:
            return found, "delegation", anomaly.agent_id
        if (found := self._open(self._of_agent, parent, now)) is not None:
            return found, "delegation", parent
        if self._is_storm(anomaly.agent_id) and (fleet := self._storm()) is not None:
            return fleet, "fleet", None
        if parent is not None and (found := lately.delegated_by(parent)):
            return found, "delegation", parent
        if version is not None:
            found = lately.of_role_and_version(role, version) if role is not None else None
            if found := found or lately.of_version(version, anomaly.agent_id):
                return found, "version", version
        if role is not None and (found := lately.of_role(role, anomaly.agent_id)):
            return found, "role", role
        return None

    def _open(self, table: Mapping[str, str], key: str | None, now: datetime) -> str | None:
        found = table.get(key) if key is not None else None
        return None if found is None or self._is_over(found, now) else found

    def _link(self, table: dict[str, str], key: str | None, alert: Alert) -> None:
        if key is not None and self._open(table, key, alert.last_anomaly_at) is None:
            table[key] = alert.incident_id

    def _is_over(self, incident_id: str, now: datetime) -> bool:
        last = self.incidents[incident_id].last_anomaly_at
        return (now - last).total_seconds() > self._quiet_s

    def _is_storm(self, agent_id: str) -> bool:
        """Whether, with this agent, too many turned odd lately."""
        agents = self._lately.by_agent
        more = max(self._expected, int(agent_id not in agents))
        return len(agents) + more > self._storm_agents

    def _storm(self) -> str | None:
        """The fleet's incident, or what becomes it: that of most agents; None: there is none."""
        counts = self._lately.by_incident
        if self._fleet is not None and self._fleet in counts:
            return self._fleet
        if not counts:
            return None
        self._fleet = max(counts, key=counts.__getitem__)
        fleet = self.incidents[self._fleet]
        self._put(fleet.model_copy(update={"bond": "fleet", "common": None}))
        self._broke_out.add(self._fleet)
        return self._fleet

    def _put(self, incident: Incident) -> None:
        self.incidents[incident.incident_id] = incident
        self.changed[incident.incident_id] = None


def _is_critical(alert: Alert) -> bool:
    return alert.severity >= Severity.CRITICAL
