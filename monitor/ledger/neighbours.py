"""Neighbours: the incidents that new alerts may belong to, found in the ledger."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, Connection, Select, bindparam, func, select

from alerting.alert import OPEN_STATES, Alert
from alerting.gathering import Gathering
from detectors.finding import Anomaly
from monitor.ledger import incidents
from monitor.ledger.streams import digest
from monitor.store.schema import alerts, anomalies

_MAX_PARAMETERS: Final = 500


def _incidents_by(column: Column[Any], where: Any) -> Select[Any]:
    """The incident with an open alert that is shown, by each of some values of a column."""
    return (
        select(column, func.min(alerts.c.incident_id))
        .select_from(where)
        .where(
            column.in_(bindparam("keys", expanding=True)),
            alerts.c.state.in_(OPEN_STATES),
            alerts.c.muted_by.is_(None),
            alerts.c.incident_id != "",
        )
        .group_by(column)
    )


_JOINED: Final = anomalies.join(alerts, alerts.c.alert_id == anomalies.c.alert_id)
_BY_TRACE: Final = _incidents_by(anomalies.c.trace, _JOINED)
_BY_AGENT: Final = _incidents_by(alerts.c.agent_id, alerts)
_BY_PARENT: Final = _incidents_by(anomalies.c.parent, _JOINED)
_RECENT: Final = (
    select(alerts.c.doc)
    .where(alerts.c.opened_at >= bindparam("since_s"), alerts.c.muted_by.is_(None))
    .order_by(alerts.c.opened_at.desc())
    .limit(bindparam("most"))
)


def gathering(
    connection: Connection,
    opening: Sequence[Anomaly],
    known: Collection[Alert],
    *,
    together_s: float,
    storm_agents: int,
    quiet_s: float,
    now: datetime,
) -> tuple[Gathering, dict[str, incidents.Stored]]:
    """What leads new alerts to incidents. The audit's head is locked.

    Parameters
    ----------
    opening
        Anomalies of agents that have no open alert.
    known
        Alerts that others may join; their incidents are part of it.
    """
    of_trace, of_agent, of_parent = _links(connection, opening)
    recent = _recent(connection, now, together_s, storm_agents) if opening else []
    ids = {alert.incident_id for alert in (*known, *recent)}
    ids |= {one for links in (of_trace, of_agent, of_parent) for one in links.values()}
    stored = incidents.load(connection, ids - {""})
    made = Gathering(
        together_s,
        storm_agents,
        quiet_s=quiet_s,
        known=[(one.incident, one.tally) for one in stored.values()],
        of_trace=_within(of_trace, stored),
        of_agent=_within(of_agent, stored),
        of_parent=_within(of_parent, stored),
        recent=recent,
        expected=len({anomaly.agent_id for anomaly in opening}),
    )
    return made, stored


def _within(links: Mapping[str, str], stored: Mapping[str, incidents.Stored]) -> dict[str, str]:
    return {key: one for key, one in links.items() if one in stored}


def _links(
    connection: Connection, opening: Sequence[Anomaly]
) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Incidents with an open alert: by trace, by agent, and by the agent that delegated."""
    traces = {one.trace_id for one in opening if one.trace_id is not None}
    parents = {one.parent_agent_id for one in opening if one.parent_agent_id is not None}
    agents = {one.agent_id for one in opening}
    of_trace = _found(connection, _BY_TRACE, {link(one): one for one in traces})
    of_agent = _found(connection, _BY_AGENT, {one: one for one in parents})
    of_parent = _found(connection, _BY_PARENT, {link(one): one for one in agents})
    return of_trace, of_agent, of_parent


def _found(connection: Connection, query: Select[Any], wanted: Mapping[str, str]) -> dict[str, str]:
    found = {}
    keys = list(wanted)
    for start in range(0, len(keys), _MAX_PARAMETERS):
        some = {"keys": keys[start : start + _MAX_PARAMETERS]}
        for key, incident_id in connection.execute(query, some):
            found[wanted[key]] = incident_id
    return found


def _recent(
    connection: Connection, now: datetime, together_s: float, storm_agents: int
) -> list[Alert]:
    since = (now - timedelta(seconds=together_s)).timestamp()
    newest = connection.execute(_RECENT, {"since_s": since, "most": storm_agents + 1}).scalars()
    found = [Alert.model_validate_json(doc) for doc in newest]
    return [alert for alert in reversed(found) if not alert.is_hidden]


def link(text: str) -> str:
    """A trace or an agent's id as an index takes it, however long it is."""
    return digest(text)
