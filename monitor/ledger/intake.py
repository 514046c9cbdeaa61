"""The intake: anomalies join alerts, people are told, and rules cut agents off."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Final

from sqlalchemy import Connection, insert, select

from alerting.alert import Alert
from alerting.cap import WEEK_S, capped
from alerting.message import Message, MessageKind
from alerting.policy import Decision, Folded, Guards, Rule, decide_trip, fold
from detectors.finding import Anomaly
from monitor.ledger import alerts, audit, outbox, shadows, trips
from monitor.store.schema import anomalies

log = logging.getLogger(__name__)

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
    alerts_per_week
        The fleet's cap on alerts of learned findings; None: there is none.
    """

    rules: Sequence[Rule]
    guards: Guards
    receivers: Sequence[str]
    points: Sequence[str]
    quiet_s: float
    alerts_per_week: float | None = None


def record(
    connection: Connection, found: Sequence[Anomaly], response: Response, now_s: float
) -> int:
    """Store anomalies, fold them into alerts, tell people and order trips: one transaction.

    One in shadow is stored and nothing else: no alert, no message, no trip.

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
    audit.lock(connection)  # the head first, everywhere: no two transactions wait for each other
    now = datetime.fromtimestamp(now_s, UTC)
    current = alerts.open_alerts(connection, {anomaly.agent_id for anomaly in new})
    changed: dict[str, Alert] = {}
    rows: list[dict[str, object]] = []
    responses: list[tuple[Folded, Anomaly]] = []
    charged: set[str] = set()
    unsent = 0
    charged_before = cache(lambda: alerts.charged_since(connection, now_s - WEEK_S))
    for anomaly in new:
        if anomaly.shadow:  # what would have alarmed is kept, and that is all
            rows.append(_row(anomaly, shadows.NO_ALERT, now_s))
            continue
        folded = fold(current.get(anomaly.agent_id), anomaly, now, response.quiet_s)
        folded = capped(
            folded, anomaly, response.alerts_per_week, lambda: charged_before() + len(charged)
        )
        if folded.news == "opened" and folded.alert.charge == "charged":
            charged.add(folded.alert.alert_id)
        unsent += folded.alert.charge == "capped" and folded.alert.anomaly_count == 1
        current[anomaly.agent_id] = folded.alert
        for alert in (folded.closed, folded.alert):
            if alert is not None:
                changed[alert.alert_id] = alert
        rows.append(_row(anomaly, folded.alert.alert_id, now_s))
        responses.append((folded, anomaly))
    if unsent:
        log.warning("%d alerts over the fleet's budget are kept and not sent", unsent)
    connection.execute(insert(anomalies), rows)
    alerts.store(connection, list(changed.values()))
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
        alerts.tell(connection, "resolved", folded.closed, "", response.receivers, now)
    if folded.news is not None:
        alerts.tell(connection, folded.news, folded.alert, anomaly.text, response.receivers, now)


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
