"""Incidents in the ledger: stored, told, ended with their last alert."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select, update

from alerting.alert import OPEN_STATES, Alert, AlertState
from alerting.incident import Incident
from alerting.message import Message, MessageKind
from alerting.tally import Tally
from detectors.finding import Severity
from monitor.errors import NotFoundError
from monitor.ledger import audit, outbox
from monitor.ledger.forgetting import forget_some
from monitor.store.schema import alerts, incidents
from monitor.store.sql import upsert

UPDATE_EVERY_S: Final = 60.0
"""What was told is brought up to date so often at most, unless something needs telling."""
_MAX_PARAMETERS: Final = 500
_BY_ID: Final = select(incidents).where(
    incidents.c.incident_id.in_(bindparam("ids", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Stored:
    """An incident, and what the ledger keeps beside it.

    Attributes
    ----------
    told_at
        When people were last told, in seconds since the epoch; reminders count from here.
    updated_at
        When what was told was last brought up to date, likewise.
    is_stale
        Whether there is more to show by now.
    """

    incident: Incident
    tally: Tally
    told_at: float | None = None
    updated_at: float | None = None
    is_stale: bool = False


def load(connection: Connection, incident_ids: Iterable[str]) -> dict[str, Stored]:
    """Incidents by id; those that are not there are left out."""
    wanted, found = sorted(incident_ids), {}
    for start in range(0, len(wanted), _MAX_PARAMETERS):
        some = {"ids": wanted[start : start + _MAX_PARAMETERS]}
        for row in connection.execute(_BY_ID, some):
            found[row.incident_id] = _stored(row)
    return found


def _stored(row: Any) -> Stored:
    return Stored(
        Incident.model_validate_json(row.doc),
        Tally.load(json.loads(row.tally)),
        row.told_at,
        row.updated_at,
        row.is_stale,
    )


def get(connection: Connection, incident_id: str) -> Stored:
    """One incident.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    found = load(connection, [incident_id]).get(incident_id)
    if found is None:
        raise NotFoundError(f"no incident {incident_id!r:.60}; `tripswitch alerts` lists them")
    return found


def store(connection: Connection, changed: Sequence[Stored]) -> None:
    """Write incidents."""
    rows = [
        {
            "incident_id": one.incident.incident_id,
            "state": one.incident.state,
            "severity": int(one.incident.severity),
            "opened_at": one.incident.opened_at.timestamp(),
            "last_anomaly_at": one.incident.last_anomaly_at.timestamp(),
            "bond": one.incident.bond,
            "told_at": one.told_at,
            "updated_at": one.updated_at,
            "is_stale": one.is_stale,
            "tally": json.dumps(one.tally.dump()),
            "doc": one.incident.model_dump_json(),
        }
        for one in changed
    ]
    upsert(connection, incidents, rows)


def of_alert(connection: Connection, alert: Alert | None) -> Incident | None:
    """The incident of an alert; None if it has none."""
    if alert is None or not alert.incident_id:
        return None
    found = load(connection, [alert.incident_id]).get(alert.incident_id)
    return found.incident if found is not None else None


def told_of(connection: Connection, alert: Alert | None) -> Incident | None:
    """The incident of an alert, if people know it."""
    found = of_alert(connection, alert)
    return found if found is not None and found.is_told else None


def alerts_of(connection: Connection, incident_id: str, limit: int = 1000) -> list[Alert]:
    """Its alerts, the worst first."""
    query = (
        select(alerts.c.doc)
        .where(alerts.c.incident_id == incident_id)
        .order_by(alerts.c.severity.desc(), alerts.c.opened_at, alerts.c.alert_id)
        .limit(limit)
    )
    return [Alert.model_validate_json(doc) for doc in connection.execute(query).scalars()]


def settle(connection: Connection, one: Stored, closing: AlertState = "resolved") -> Stored:
    """The incident with the state that its alerts amount to, stored.

    Parameters
    ----------
    closing
        Its state if none of its alerts is open any more.
    """
    counted = (
        select(alerts.c.state, func.count())
        .where(alerts.c.incident_id == one.incident.incident_id)
        .group_by(alerts.c.state)
    )
    states = {row[0] for row in connection.execute(counted)}
    state: AlertState = "open"
    if "open" not in states:
        state = "acknowledged" if "acknowledged" in states else closing
    incident = one.incident.model_copy(update={"state": state})
    settled = Stored(incident, one.tally, one.told_at, one.updated_at, one.is_stale)
    store(connection, [settled])
    return settled


def tell(
    connection: Connection,
    kind: MessageKind,
    incident: Incident,
    alert: Alert | None,
    headline: str,
    receivers: Sequence[str],
    now: datetime,
    *,
    identity: str,
    severity: Severity | None = None,
) -> None:
    """Tell of an incident that people know, or are to know; of any other nothing is told.

    Parameters
    ----------
    alert
        The one that it is about; None: the one that speaks for the incident.
    identity
        What makes it the same thing to tell, within the incident and the kind.
    """
    if not incident.is_told:
        return
    if alert is None:
        alert = _speaker(connection, incident)
    message = Message(
        kind=kind,
        agent_id=alert.agent_id if alert is not None else incident.agents[0],
        at=now,
        severity=severity or incident.severity,
        headline=headline or (alert.worst.text if alert is not None else incident.sentence),
        alert=alert,
        incident=incident,
    )
    outbox.enqueue(
        connection,
        message,
        identity=f"{kind}/{incident.incident_id}/{identity}",
        receivers=receivers,
        now_s=now.timestamp(),
    )


def _speaker(connection: Connection, incident: Incident) -> Alert | None:
    query = select(alerts.c.doc).where(alerts.c.alert_id == incident.alert_id)
    doc = connection.execute(query).scalar_one_or_none()
    return None if doc is None else Alert.model_validate_json(doc)


def is_any_stale(connection: Connection, now_s: float) -> bool:
    """Whether `refresh` has anything to do."""
    query = select(1).where(incidents.c.is_stale, incidents.c.updated_at <= now_s - UPDATE_EVERY_S)
    return connection.execute(query.limit(1)).first() is not None


def refresh(connection: Connection, receivers: Sequence[str], now_s: float) -> int:
    """Bring what was told up to date where that has waited; returns how many incidents."""
    audit.lock(connection)
    query = select(incidents).where(
        incidents.c.is_stale, incidents.c.updated_at <= now_s - UPDATE_EVERY_S
    )
    stale = [_stored(row) for row in connection.execute(query)]
    now = datetime.fromtimestamp(now_s, UTC)
    for one in stale:
        identity = str(one.incident.anomaly_count)
        tell(connection, "updated", one.incident, None, "", receivers, now, identity=identity)
    store(connection, [Stored(one.incident, one.tally, one.told_at, now_s) for one in stale])
    return len(stale)


def open_since(connection: Connection, told_before_s: float) -> list[Stored]:
    """Those that nobody has acknowledged, and of which people were last told before then."""
    query = select(incidents).where(
        incidents.c.state == "open", incidents.c.told_at <= told_before_s
    )
    return [_stored(row) for row in connection.execute(query)]


def prune(connection: Connection, before_s: float) -> int:
    """Forget some old incidents of which no alert is left; returns how many."""
    left = select(alerts.c.alert_id).where(alerts.c.incident_id == incidents.c.incident_id)
    return forget_some(connection, incidents, incidents.c.opened_at < before_s, ~left.exists())


def forget_agent(connection: Connection, agent_id: str, instead: str) -> int:
    """Put something in place of an agent's name in incidents that are over; returns how many."""
    query = select(incidents).where(incidents.c.state.not_in(OPEN_STATES))
    changed = 0
    for row in connection.execute(query).all():
        one = _stored(row).incident
        if agent_id in (*one.agents, one.common):
            values = {
                "agents": tuple(instead if a == agent_id else a for a in one.agents),
                "common": instead if one.common == agent_id else one.common,
            }
            doc = one.model_copy(update=values).model_dump_json()
            mine = incidents.c.incident_id == one.incident_id
            connection.execute(update(incidents).where(mine).values(doc=doc))
            changed += 1
    return changed
