"""The desk: what becomes of the anomalies of one transaction: folded, gathered, stored, told."""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from typing import Final, NamedTuple

from sqlalchemy import Connection

from alerting.alert import Alert
from alerting.cap import WEEK_S, capped
from alerting.incident import IncidentNews
from alerting.inhibit import inhibited, of_health, of_trip
from alerting.killswitch import BLOCKED
from alerting.message import MessageKind
from alerting.mute import muting
from alerting.policy import Folded, Hidden, fold, is_quiet
from detectors.finding import Anomaly
from monitor.ledger import agents, alerts, changes, conditions, incidents, mutes, neighbours
from monitor.ledger.changes import What
from monitor.ledger.incidents import UPDATE_EVERY_S, Stored
from monitor.ledger.response import Response

log = logging.getLogger(__name__)

FEW_AGENTS: Final = 3
"""While an incident is no larger, a further agent in it is shown at once."""

_KINDS: Final[dict[IncidentNews, MessageKind]] = {
    "opened": "opened",
    "raised": "raised",
    "storm": "raised",
    "critical": "opened",
}


class _Story(NamedTuple):
    """What an anomaly tells of an incident; `joined` by an alert that was opened."""

    news: IncidentNews
    alert: Alert
    anomaly: Anomaly
    joined: bool


class Desk:
    """Takes the anomalies of one transaction in. The audit's head is locked from before.

    Parameters
    ----------
    connection
        The transaction.
    new
        All anomalies that are to be taken, none of them in shadow.
    response
        What is done about them.
    now_s
        Now, in seconds since the epoch.
    """

    def __init__(
        self,
        connection: Connection,
        new: Sequence[Anomaly],
        response: Response,
        now_s: float,
    ) -> None:
        self._connection = connection
        self._response = response
        self._now_s = now_s
        self._now = now = datetime.fromtimestamp(now_s, UTC)
        agent_ids = {anomaly.agent_id for anomaly in new}
        self._current = alerts.open_alerts(connection, agent_ids)
        without = [one for one in agent_ids if one not in self._current]
        self._former = alerts.latest(connection, without)
        self._mutes = mutes.active(connection, now_s)
        held = conditions.open_now(connection)
        self._causes = of_health(one.condition for one in held)
        self._cut_off = {
            agent_id: [of_trip(agent_id, one.trip_id)]
            for agent_id, one in agents.standings(connection, list(agent_ids)).items()
            if one.state in BLOCKED
        }
        quiet_s = response.quiet_s
        opening = [
            anomaly
            for anomaly in new
            if (alert := self._current.get(anomaly.agent_id)) is None
            or is_quiet(alert, now, quiet_s)
        ]
        self._gathering, self._stored = neighbours.gathering(
            connection,
            opening,
            [*self._current.values(), *self._former.values()],
            together_s=response.together_s,
            storm_agents=response.storm_agents,
            quiet_s=quiet_s,
            now=now,
        )
        self._charged_before = cache(lambda: alerts.charged_since(connection, now_s - WEEK_S))
        self._charged: set[str] = set()
        self._changed: dict[str, Alert] = {}
        self._closed: list[Alert] = []
        self._changes: list[changes.Change] = []
        self._stories: list[_Story] = []
        self._hidden: Counter[str] = Counter()
        self._touched: set[str] = set()
        self._unsent = 0

    def take(self, anomaly: Anomaly) -> Folded:
        """Fold an anomaly into its agent's alert, and that into an incident."""
        agent_id, gathering = anomaly.agent_id, self._gathering
        folded = fold(
            self._current.get(agent_id),
            anomaly,
            self._now,
            self._response.quiet_s,
            former=self._former.get(agent_id),
            hidden=self._why_hidden(anomaly),
        )
        joined = not folded.alert.incident_id
        folded = gathering.place(folded, anomaly, self._now)
        folded = capped(
            folded,
            anomaly,
            self._response.alerts_per_week,
            lambda: self._charged_before() + len(self._charged),
            joins=gathering.is_told(folded.alert),
        )
        alert = folded.alert
        if folded.news == "opened" and alert.charge == "charged":
            self._charged.add(alert.alert_id)
        self._unsent += alert.charge == "capped" and alert.anomaly_count == 1
        news = gathering.take(folded, anomaly)
        if news is not None:
            self._stories.append(_Story(news, alert, anomaly, joined))
        self._note(folded, anomaly)
        if alert.is_open:
            self._current[agent_id] = alert
        else:
            self._former[agent_id] = alert
        self._changed[alert.alert_id] = alert
        return folded

    def close(self) -> None:
        """Store alerts and incidents, and put into the outbox what is to be told."""
        if self._unsent:
            log.warning("%d alerts over the fleet's budget are kept and not sent", self._unsent)
        alerts.store(self._connection, list(self._changed.values()))
        mutes.count_hidden(self._connection, self._hidden)
        changes.note(self._connection, self._changes)
        told = self._tell()
        self._touched = {story.alert.incident_id for story in self._stories}
        incidents.store(
            self._connection, [self._kept(one, told) for one in self._gathering.changed]
        )
        alerts.tell_quiet(self._connection, self._closed, self._response.receivers, self._now)

    def _why_hidden(self, anomaly: Anomaly) -> Hidden | None:
        cut_off = self._cut_off.get(anomaly.agent_id, [])
        why = inhibited(anomaly, chain(cut_off, self._causes))
        if why is not None:
            return Hidden(inhibited_by=why.words)
        mute_id = muting(anomaly, self._mutes) if self._mutes else None
        return Hidden(muted_by=mute_id) if mute_id is not None else None

    def _note(self, folded: Folded, anomaly: Anomaly) -> None:
        """Note what has changed about the alert, for its history."""
        alert, by, at_s = folded.alert, f"detector:{anomaly.detector}", self._now_s
        if folded.closed is not None:
            closed = folded.closed
            self._changed[closed.alert_id] = closed
            self._closed.append(closed)
            self._changes.append(alerts.closing(closed))
        if folded.news is not None or alert.anomaly_count == 1:
            what = folded.news or "opened"
            self._changes.append(changes.of(alert, what, by=by, reason=anomaly.text, at_s=at_s))
        if alert.charge == "capped" and alert.anomaly_count == 1:
            reason = "beyond the fleet's budget of alerts a week: kept, not sent"
            self._changes.append(
                changes.of(alert, "capped", by=changes.SERVICE, reason=reason, at_s=at_s)
            )
        if (hidden := folded.hidden) is not None and folded.kept_back:
            kept: What = "muted" if hidden.muted_by is not None else "inhibited"
            by = f"mute:{hidden.muted_by}" if hidden.muted_by is not None else changes.SERVICE
            self._changes.append(changes.of(alert, kept, by=by, reason=hidden.words, at_s=at_s))
            if hidden.muted_by is not None and alert.anomaly_count == 1:
                self._hidden[hidden.muted_by] += 1

    def _tell(self) -> dict[str, bool]:
        """Tell the news; of which incidents, and whether of each more than an update was told.

        Every message shows its incident as it is after the whole transaction. One with other
        news needs no update.
        """
        told: dict[str, bool] = {}
        worth = {s.alert.incident_id for s in self._stories if s.news in ("opened", "raised")}
        for story in self._stories:
            incident_id = story.alert.incident_id
            if story.news == "updated" or (story.news == "storm" and incident_id in worth):
                continue
            told[incident_id] = True
            self._send(story, _KINDS[story.news])
        last = {story.alert.incident_id: story for story in self._stories}
        new = {story.alert.incident_id for story in self._stories if story.joined}
        for incident_id, story in last.items():
            if incident_id not in told and self._is_due(incident_id, incident_id in new):
                told[incident_id] = False
                self._send(story, "updated")
        return told

    def _is_due(self, incident_id: str, has_more_agents: bool) -> bool:
        """Whether an update is to be told now; otherwise it waits for `incidents.refresh`."""
        few = self._gathering.incidents[incident_id].agent_count <= FEW_AGENTS
        stored = self._stored.get(incident_id)
        last_s = stored.updated_at if stored is not None else None
        return (has_more_agents and few) or self._now_s - (last_s or 0.0) >= UPDATE_EVERY_S

    def _send(self, story: _Story, kind: MessageKind) -> None:
        incident = self._gathering.incidents[story.alert.incident_id]
        alert: Alert | None = story.alert
        headline, severity = story.anomaly.text, story.alert.severity
        identity = story.alert.alert_id
        if story.news == "storm":
            headline, severity, identity = incident.sentence, incident.severity, "storm"
        elif kind == "raised":
            identity = severity.label
        elif kind == "updated":
            headline, severity, identity = "", incident.severity, story.anomaly.anomaly_id
            alert = self._changed.get(incident.alert_id)
        incidents.tell(
            self._connection,
            kind,
            incident,
            alert,
            headline,
            self._response.receivers,
            self._now,
            identity=identity,
            severity=severity,
        )

    def _kept(self, incident_id: str, told: dict[str, bool]) -> Stored:
        """An incident as it is to be stored."""
        before = self._stored.get(incident_id)
        told_at = before.told_at if before is not None else None
        updated_at = before.updated_at if before is not None else None
        is_stale = incident_id in self._touched or (before is not None and before.is_stale)
        if incident_id in told:
            updated_at, is_stale = self._now_s, False
            told_at = self._now_s if told[incident_id] else told_at
        gathering = self._gathering
        return Stored(
            gathering.incidents[incident_id],
            gathering.tallies[incident_id],
            told_at,
            updated_at,
            is_stale,
        )
