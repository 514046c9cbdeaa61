"""Alerts in the ledger: anomalies join them, people and quiet resolve them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from alerting.alert import OPEN_STATES, Alert
from alerting.message import Message, MessageKind
from alerting.policy import (
    Decision,
    Folded,
    Guards,
    Rule,
    decide_trip,
    fold,
    resolve,
    resolve_quiet,
)
from detectors.finding import Anomaly
from monitor.errors import NotFoundError
from monitor.ledger import audit, outbox, trips
from monitor.store.schema import alerts, anomalies
from monitor.store.sql import upsert

HOUR_S: Final = 3600.0
_MAX_PARAMETERS: Final = 500


@dataclass(frozen=True, slots=True)
class Response:
    """How this service responds to anomalies.

    Parameters
    ----------
    rules, guards
        Of automatic trips.
    receivers
        Names of those who are told.
    points
        Names of the enforcement points that a trip drives.
    quiet_s
        After so long without an anomaly an alert is over.
    """

    rules: Sequence[Rule]
    guards: Guards
    receivers: Sequence[str]
    points: Sequence[str]
    quiet_s: float


def record(
    connection: Connection, found: Sequence[Anomaly], response: Response, now_s: float
) -> int:
    """Store anomalies, fold them into alerts, tell people and order trips: one transaction.

    An anomaly that the ledger has already is passed over whole, so that reading a stretch of the
    log again repeats nothing.

    Returns
    -------
    int
        How many of them were new.
    """
    new = _unknown(connection, found)
    if not new:
        return 0
    now = datetime.fromtimestamp(now_s, UTC)
    current = _open_alerts(connection, {anomaly.agent_id for anomaly in new})
    changed: dict[str, Alert] = {}
    rows: list[dict[str, object]] = []
    responses: list[tuple[Folded, Anomaly]] = []
    for anomaly in new:
        folded = fold(current.get(anomaly.agent_id), anomaly, now, response.quiet_s)
        current[anomaly.agent_id] = folded.alert
        for alert in (folded.closed, folded.alert):
            if alert is not None:
                changed[alert.alert_id] = alert
        rows.append(_row(anomaly, folded.alert.alert_id, now_s))
        responses.append((folded, anomaly))
    connection.execute(insert(anomalies), rows)
    _store(connection, list(changed.values()))
    for folded, anomaly in responses:
        _tell(connection, folded, anomaly, response, now)
        _respond(connection, folded.alert, anomaly, response, now)
    return len(new)


def _unknown(connection: Connection, found: Sequence[Anomaly]) -> list[Anomaly]:
    """Those that the ledger does not have, each once."""
    by_id = {anomaly.anomaly_id: anomaly for anomaly in reversed(found)}
    ids = list(by_id)
    for start in range(0, len(ids), _MAX_PARAMETERS):
        known = select(anomalies.c.anomaly_id).where(
            anomalies.c.anomaly_id.in_(ids[start : start + _MAX_PARAMETERS])
        )
        for anomaly_id in connection.execute(known).scalars():
            del by_id[anomaly_id]
    return list(reversed(by_id.values()))


def _row(anomaly: Anomaly, alert_id: str, now_s: float) -> dict[str, object]:
    return {
        "anomaly_id": anomaly.anomaly_id,
        "agent_id": anomaly.agent_id,
        "alert_id": alert_id,
        "detector": anomaly.detector,
        "severity": int(anomaly.severity),
        "event_time": anomaly.time.timestamp(),
        "stored_at": now_s,
        "doc": anomaly.model_dump_json(),
    }


def _tell(
    connection: Connection, folded: Folded, anomaly: Anomaly, response: Response, now: datetime
) -> None:
    if folded.closed is not None:
        _enqueue(connection, "resolved", folded.closed, "", response.receivers, now)
    if folded.news is not None:
        _enqueue(connection, folded.news, folded.alert, anomaly.text, response.receivers, now)


def _respond(
    connection: Connection, alert: Alert, anomaly: Anomaly, response: Response, now: datetime
) -> None:
    """Do what the trip rules say of a new anomaly."""
    if not any(rule.matches(anomaly) for rule in response.rules):
        return
    tripped = trips.automatic_since(connection, now.timestamp() - HOUR_S)
    decision = decide_trip(response.rules, response.guards, anomaly, alert, now, tripped)
    if decision is None:
        return
    if decision.outcome == "trip":
        trips.order_kill(
            connection,
            agent_id=anomaly.agent_id,
            reason=decision.reason,
            ordered_by=f"rule:{decision.rule.name}",
            automatic=True,
            now_s=now.timestamp(),
            points=response.points,
            receivers=response.receivers,
            anomaly_id=anomaly.anomaly_id,
            anomaly_at=anomaly.time.timestamp(),
        )
        return
    _enqueue_decision(connection, decision, alert, response.receivers, now)


def _enqueue_decision(
    connection: Connection,
    decision: Decision,
    alert: Alert,
    receivers: Sequence[str],
    now: datetime,
) -> None:
    if decision.outcome == "held":
        kind: MessageKind = "trip_held"
        headline = f"rule {decision.rule.name} did not cut the agent off: {decision.reason}"
    else:
        kind = "would_trip"
        headline = f"in mode enforce this would have cut the agent off: {decision.reason}"
    message = Message(
        kind=kind,
        agent_id=alert.agent_id,
        at=now,
        severity=alert.severity,
        headline=headline,
        alert=alert,
    )
    identity = f"{kind}/{alert.alert_id}/{decision.rule.name}"
    outbox.enqueue(
        connection, message, identity=identity, receivers=receivers, now_s=now.timestamp()
    )


def _enqueue(
    connection: Connection,
    kind: MessageKind,
    alert: Alert,
    headline: str,
    receivers: Sequence[str],
    now: datetime,
) -> None:
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


def _open_alerts(connection: Connection, agent_ids: Collection[str]) -> dict[str, Alert]:
    """The agents' open alerts, by agent, locked until the transaction ends."""
    wanted, found = list(agent_ids), {}
    for start in range(0, len(wanted), _MAX_PARAMETERS):
        docs = connection.execute(
            select(alerts.c.doc)
            .where(
                alerts.c.agent_id.in_(wanted[start : start + _MAX_PARAMETERS]),
                alerts.c.state.in_(OPEN_STATES),
            )
            .with_for_update()
        ).scalars()
        for doc in docs:
            alert = Alert.model_validate_json(doc)
            found[alert.agent_id] = alert
    return found


def open_alert(connection: Connection, agent_id: str) -> Alert | None:
    """The agent's open alert."""
    return _open_alerts(connection, [agent_id]).get(agent_id)


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
    alert = get(connection, alert_id)
    if alert.state not in OPEN_STATES:
        return alert
    now = datetime.fromtimestamp(now_s, UTC)
    resolved = resolve(alert, now, by=by, reason=reason)
    _store(connection, [resolved])
    _enqueue(connection, "resolved", resolved, f"{by}: {reason}", receivers, now)
    audit.append(
        connection,
        at_s=now_s,
        actor=by,
        action="alert resolved",
        subject=alert.agent_id,
        doc={"alert_id": alert_id, "reason": reason},
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
        _store(connection, [resolved])
        now = datetime.fromtimestamp(now_s, UTC)
        _enqueue(connection, "resolved", resolved, "", receivers, now)
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


def _store(connection: Connection, changed: Sequence[Alert]) -> None:
    """Write alerts; resolved ones first, for an agent has one open alert at most."""
    rows = [
        {
            "alert_id": alert.alert_id,
            "agent_id": alert.agent_id,
            "state": alert.state,
            "severity": int(alert.severity),
            "opened_at": alert.opened_at.timestamp(),
            "last_anomaly_at": alert.last_anomaly_at.timestamp(),
            "doc": alert.model_dump_json(),
        }
        for alert in sorted(changed, key=lambda alert: alert.state in OPEN_STATES)
    ]
    upsert(connection, alerts, rows)
