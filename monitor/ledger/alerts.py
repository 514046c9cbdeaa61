"""Alerts in the ledger: found, listed, stored, resolved by quiet, pruned."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, select

from alerting.alert import OPEN_STATES, Alert, Charge
from alerting.message import MessageKind
from alerting.policy import resolve_quiet
from detectors.finding import Anomaly
from monitor.errors import NotFoundError
from monitor.ledger import audit, changes, incidents
from monitor.ledger.changes import Change
from monitor.ledger.forgetting import BATCH, forget_some
from monitor.store.schema import alerts, anomalies
from monitor.store.sql import upsert

_MAX_PARAMETERS: Final = 500
_OF_AGENTS: Final = alerts.c.agent_id.in_(bindparam("agent_ids", expanding=True))
_OPEN: Final = select(alerts.c.doc).where(_OF_AGENTS, alerts.c.state.in_(OPEN_STATES))
_OPEN_LOCKED: Final = _OPEN.with_for_update()
_RANKED: Final = (
    select(
        alerts.c.doc,
        func.row_number()
        .over(
            partition_by=alerts.c.agent_id,
            order_by=(alerts.c.opened_at.desc(), alerts.c.alert_id),
        )
        .label("place"),
    )
    .where(_OF_AGENTS)
    .subquery()
)
_LATEST: Final = select(_RANKED.c.doc).where(_RANKED.c.place == 1)


def open_alerts(
    connection: Connection, agent_ids: Collection[str], *, lock: bool = True
) -> dict[str, Alert]:
    """The agents' open alerts, by agent; who changes them locks them until the transaction ends."""
    wanted, found = list(agent_ids), {}
    for start in range(0, len(wanted), _MAX_PARAMETERS):
        some = {"agent_ids": wanted[start : start + _MAX_PARAMETERS]}
        for doc in connection.execute(_OPEN_LOCKED if lock else _OPEN, some).scalars():
            alert = Alert.model_validate_json(doc)
            found[alert.agent_id] = alert
    return found


def open_alert(connection: Connection, agent_id: str) -> Alert | None:
    """The agent's open alert."""
    return open_alerts(connection, [agent_id], lock=False).get(agent_id)


def latest(connection: Connection, agent_ids: Sequence[str]) -> dict[str, Alert]:
    """The last alert of each agent that has one, by agent."""
    found = {}
    for start in range(0, len(agent_ids), _MAX_PARAMETERS):
        some = {"agent_ids": agent_ids[start : start + _MAX_PARAMETERS]}
        for doc in connection.execute(_LATEST, some).scalars():
            alert = Alert.model_validate_json(doc)
            found[alert.agent_id] = alert
    return found


def get(connection: Connection, alert_id: str) -> Alert:
    """One alert.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    doc = connection.execute(
        select(alerts.c.doc).where(alerts.c.alert_id == alert_id)
    ).scalar_one_or_none()
    if doc is None:
        raise NotFoundError(f"no alert {alert_id!r:.60}; `tripswitch alerts` lists them")
    return Alert.model_validate_json(doc)


def gathering(connection: Connection, anomaly_id: str) -> Alert | None:
    """The alert that gathers an anomaly; None if retention took either."""
    query = (
        select(alerts.c.doc)
        .join(anomalies, anomalies.c.alert_id == alerts.c.alert_id)
        .where(anomalies.c.anomaly_id == anomaly_id)
    )
    doc = connection.execute(query).scalar_one_or_none()
    return None if doc is None else Alert.model_validate_json(doc)


def newest(
    connection: Connection, *, open_only: bool, agent_id: str | None = None, limit: int = 50
) -> list[Alert]:
    """Alerts, the newest first; `open_only`: those that a mute keeps back are left out, too."""
    query = select(alerts.c.doc).order_by(alerts.c.opened_at.desc()).limit(limit)
    if open_only:
        query = query.where(alerts.c.state.in_(OPEN_STATES), alerts.c.muted_by.is_(None))
    if agent_id is not None:
        query = query.where(alerts.c.agent_id == agent_id)
    return [Alert.model_validate_json(doc) for doc in connection.execute(query).scalars()]


def charged_since(connection: Connection, since_s: float, charge: Charge = "charged") -> int:
    """How many alerts of this charge were opened since then.

    For a decision lock the audit's head first: then no other process can open one meanwhile.
    """
    query = select(func.count()).where(alerts.c.charge == charge, alerts.c.opened_at > since_s)
    return connection.execute(query).scalar_one()


def count_muted(connection: Connection) -> int:
    """How many open alerts mutes keep back."""
    query = select(func.count()).where(
        alerts.c.state.in_(OPEN_STATES), alerts.c.muted_by.is_not(None)
    )
    return connection.execute(query).scalar_one()


def anomalies_of(connection: Connection, alert_id: str, limit: int = 50) -> list[Anomaly]:
    """The anomalies that an alert gathers, in order of event time."""
    query = (
        select(anomalies.c.doc)
        .where(anomalies.c.alert_id == alert_id)
        .order_by(anomalies.c.event_time, anomalies.c.anomaly_id)
        .limit(limit)
    )
    return [Anomaly.model_validate_json(doc) for doc in connection.execute(query).scalars()]


def resolve_what_is_quiet(
    connection: Connection, receivers: Sequence[str], quiet_s: float, now_s: float
) -> int:
    """Resolve the alerts that had no anomaly for `quiet_s`; returns how many."""
    which = (alerts.c.state.in_(OPEN_STATES), alerts.c.last_anomaly_at < now_s - quiet_s)
    if connection.execute(select(1).where(*which).limit(1)).first() is None:
        return 0
    audit.lock(connection)  # the head first, everywhere: no two transactions wait for each other
    docs = connection.execute(select(alerts.c.doc).where(*which).with_for_update()).scalars()
    closed = [resolve_quiet(Alert.model_validate_json(doc), quiet_s) for doc in docs]
    store(connection, closed)
    changes.note(connection, [closing(alert) for alert in closed])
    tell_quiet(connection, closed, receivers, datetime.fromtimestamp(now_s, UTC))
    return len(closed)


def closing(alert: Alert) -> changes.Change:
    """The change that closed an alert which is closed."""
    assert alert.resolved_at is not None  # with who and why; each that is closed has them
    return Change(
        alert.alert_id,
        alert.incident_id,
        alert.resolved_at.timestamp(),
        alert.resolved_by or "",
        alert.state,
        alert.resolved_reason or "",
    )


def tell_quiet(
    connection: Connection, closed: Sequence[Alert], receivers: Sequence[str], now: datetime
) -> None:
    """Tell of incidents that are over now that quiet has closed these alerts.

    One that only repeats had opened again ends as it went on: nobody is told anew.
    """
    by_incident = {alert.incident_id: alert for alert in closed}
    for incident_id, stored in incidents.load(connection, by_incident.keys() - {""}).items():
        over = incidents.settle(connection, stored).incident
        if not over.is_open:
            reason = by_incident[incident_id].resolved_reason or ""
            kind: MessageKind = "updated" if over.reopened else "resolved"
            identity = f"quiet/{over.reopened}"
            incidents.tell(connection, kind, over, None, reason, receivers, now, identity=identity)


def prune_anomalies(connection: Connection, before_s: float) -> int:
    """Forget some old anomalies; returns how many. Those of an open alert stay."""
    of_open = select(alerts.c.alert_id).where(
        alerts.c.alert_id == anomalies.c.alert_id, alerts.c.state.in_(OPEN_STATES)
    )
    return forget_some(connection, anomalies, anomalies.c.stored_at < before_s, ~of_open.exists())


def prune(connection: Connection, before_s: float) -> int:
    """Forget some old alerts that are over, with their changes, and incidents; returns how many."""
    old = (alerts.c.opened_at < before_s, alerts.c.state.not_in(OPEN_STATES))
    ids = connection.execute(select(alerts.c.alert_id).where(*old).limit(BATCH)).scalars().all()
    if ids:
        changes.forget(connection, ids)
        connection.execute(delete(alerts).where(alerts.c.alert_id.in_(ids)))
    return len(ids) + incidents.prune(connection, before_s)


def store(connection: Connection, changed: Sequence[Alert]) -> None:
    """Write alerts; resolved ones first, for an agent has one open alert at most."""
    rows = [
        {
            "alert_id": alert.alert_id,
            "agent_id": alert.agent_id,
            "state": alert.state,
            "severity": int(alert.severity),
            "opened_at": alert.opened_at.timestamp(),
            "last_anomaly_at": alert.last_anomaly_at.timestamp(),
            "incident_id": alert.incident_id,
            "muted_by": alert.muted_by,
            "charge": alert.charge,
            "doc": alert.model_dump_json(),
        }
        for alert in sorted(changed, key=lambda alert: alert.state in OPEN_STATES)
    ]
    upsert(connection, alerts, rows)
