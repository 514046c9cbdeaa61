"""The intake: anomalies join alerts, people are told, and rules cut agents off."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Final

from sqlalchemy import Connection, insert, select

from alerting.alert import Alert
from alerting.cap import WEEK_S, capped
from alerting.policy import Folded, fold
from detectors.finding import Anomaly
from monitor.ledger import alerts, audit, autotrip, shadows
from monitor.ledger.response import Response
from monitor.store.schema import anomalies

log = logging.getLogger(__name__)

_MAX_PARAMETERS: Final = 500


def record(
    connection: Connection,
    found: Sequence[Anomaly],
    response: Response,
    now_s: float,
    read_at_s: float | None = None,
) -> int:
    """Store anomalies, fold them into alerts, tell people and order trips: one transaction.

    One in shadow is stored and nothing else: no alert, no message, no trip.

    An anomaly that the ledger has already is passed over whole, so that reading a stretch of the
    log again repeats nothing.

    Parameters
    ----------
    read_at_s
        When the events behind them were read, in seconds since the epoch.

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
        autotrip.respond(connection, folded.alert, anomaly, response, now_s, read_at_s)
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
