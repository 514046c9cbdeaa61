"""Alerts in the ledger: found, listed, told, resolved by people and by quiet, pruned."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, delete, func, select

from alerting.alert import OPEN_STATES, Alert, Charge
from alerting.message import Message, MessageKind
from alerting.policy import (
    resolve,
    resolve_quiet,
)
from detectors.finding import Anomaly
from monitor.errors import NotFoundError
from monitor.ledger import audit, outbox
from monitor.store.schema import alerts, anomalies
from monitor.store.sql import upsert

_MAX_PARAMETERS: Final = 500


def tell(
    connection: Connection,
    kind: MessageKind,
    alert: Alert,
    headline: str,
    receivers: Sequence[str],
    now: datetime,
) -> None:
    """Tell the receivers of an alert; the same news at the same severity is told once.

    Of an alert that the fleet's cap keeps back nothing is told, its end neither.
    """
    if alert.charge == "capped":
        return
    message = Message(
        kind=kind,
        agent_id=alert.agent_id,
        at=now,
        severity=alert.severity,
        headline=headline or alert.resolved_reason or alert.worst.text,
        alert=alert,
    )
    identity = f"{kind}/{alert.alert_id}/{alert.severity.label}"
    outbox.enqueue(
        connection, message, identity=identity, receivers=receivers, now_s=now.timestamp()
    )


def open_alerts(
    connection: Connection, agent_ids: Collection[str], *, lock: bool = True
) -> dict[str, Alert]:
    """The agents' open alerts, by agent; who changes them locks them until the transaction ends."""
    wanted, found = list(agent_ids), {}
    for start in range(0, len(wanted), _MAX_PARAMETERS):
        query = select(alerts.c.doc).where(
            alerts.c.agent_id.in_(wanted[start : start + _MAX_PARAMETERS]),
            alerts.c.state.in_(OPEN_STATES),
        )
        for doc in connection.execute(query.with_for_update() if lock else query).scalars():
            alert = Alert.model_validate_json(doc)
            found[alert.agent_id] = alert
    return found


def open_alert(connection: Connection, agent_id: str) -> Alert | None:
    """The agent's open alert."""
    return open_alerts(connection, [agent_id]).get(agent_id)


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


def newest(
    connection: Connection, *, open_only: bool, agent_id: str | None = None, limit: int = 50
) -> list[Alert]:
    """Alerts, the newest first."""
    query = select(alerts.c.doc).order_by(alerts.c.opened_at.desc()).limit(limit)
    if open_only:
        query = query.where(alerts.c.state.in_(OPEN_STATES))
    if agent_id is not None:
        query = query.where(alerts.c.agent_id == agent_id)
    return [Alert.model_validate_json(doc) for doc in connection.execute(query).scalars()]


def charged_since(connection: Connection, since_s: float, charge: Charge = "charged") -> int:
    """How many alerts of this charge were opened since then.

    For a decision lock the audit's head first: then no other process can open one meanwhile.
    """
    query = select(func.count()).where(alerts.c.charge == charge, alerts.c.opened_at > since_s)
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


def resolve_by_person(
    connection: Connection,
    alert_id: str,
    *,
    by: str,
    reason: str,
    receivers: Sequence[str],
    now_s: float,
) -> Alert:
    """Resolve an alert; one that is resolved already stays as it is.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    audit.lock(connection)  # the head first, everywhere: no two transactions wait for each other
    alert = get(connection, alert_id)
    if alert.state not in OPEN_STATES:
        return alert
    now = datetime.fromtimestamp(now_s, UTC)
    resolved = resolve(alert, now, by=by, reason=reason)
    store(connection, [resolved])
    tell(connection, "resolved", resolved, f"{by}: {reason}", receivers, now)
    audit.append(
        connection,
        at_s=now_s,
        actor=by,
        action="alert resolved",
        subject=alert.agent_id,
        doc={"alert_id": alert_id},
        text={"reason": reason},
    )
    return resolved


def resolve_what_is_quiet(
    connection: Connection, receivers: Sequence[str], quiet_s: float, now_s: float
) -> int:
    """Resolve the alerts that had no anomaly for `quiet_s`; returns how many."""
    docs = connection.execute(
        select(alerts.c.doc)
        .where(alerts.c.state.in_(OPEN_STATES), alerts.c.last_anomaly_at < now_s - quiet_s)
        .with_for_update(skip_locked=True)
    ).scalars()
    quiet = [Alert.model_validate_json(doc) for doc in docs]
    for alert in quiet:
        resolved = resolve_quiet(alert, quiet_s)
        store(connection, [resolved])
        now = datetime.fromtimestamp(now_s, UTC)
        tell(connection, "resolved", resolved, "", receivers, now)
    return len(quiet)


def prune(connection: Connection, *, anomalies_before_s: float, alerts_before_s: float) -> None:
    """Delete old anomalies and old resolved alerts; what is open stays."""
    is_open = select(alerts.c.alert_id).where(alerts.c.state.in_(OPEN_STATES))
    connection.execute(
        delete(anomalies).where(
            anomalies.c.stored_at < anomalies_before_s, anomalies.c.alert_id.not_in(is_open)
        )
    )
    connection.execute(
        delete(alerts).where(
            alerts.c.opened_at < alerts_before_s, alerts.c.state.not_in(OPEN_STATES)
        )
    )


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
            "charge": alert.charge,
            "doc": alert.model_dump_json(),
        }
        for alert in sorted(changed, key=lambda alert: alert.state in OPEN_STATES)
    ]
    upsert(connection, alerts, rows)
