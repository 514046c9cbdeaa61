"""The intake: anomalies join alerts, people are told, and rules cut agents off."""

import logging
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, insert, select

from alerting.policy import Folded
from detectors.finding import Anomaly
from monitor.ledger import audit, autotrip, shadows
from monitor.ledger.desk import Desk
from monitor.ledger.neighbours import link
from monitor.ledger.response import Response
from monitor.store.schema import anomalies

log = logging.getLogger(__name__)

_MAX_PARAMETERS: Final = 500
_KNOWN: Final = select(anomalies.c.anomaly_id).where(
    anomalies.c.anomaly_id.in_(bindparam("ids", expanding=True))
)


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
    # Who waited for the lock sees now what the other has written meanwhile.
    new = _unknown(connection, new)
    if not new:
        return 0
    desk = Desk(connection, [one for one in new if not one.shadow], response, now_s)
    rows: list[dict[str, object]] = []
    responses: list[tuple[Folded, Anomaly]] = []
    for anomaly in new:
        if anomaly.shadow:  # what would have alarmed is kept, and that is all
            rows.append(_row(anomaly, shadows.NO_ALERT, now_s))
            continue
        folded = desk.take(anomaly)
        rows.append(_row(anomaly, folded.alert.alert_id, now_s))
        responses.append((folded, anomaly))
    connection.execute(insert(anomalies), rows)
    desk.close()
    for folded, anomaly in responses:
        autotrip.respond(connection, folded.alert, anomaly, response, now_s, read_at_s)
    return len(new)


def _unknown(connection: Connection, found: Sequence[Anomaly]) -> list[Anomaly]:
    """Those that the ledger does not have, each once."""
    by_id = {anomaly.anomaly_id: anomaly for anomaly in reversed(found)}
    ids = list(by_id)
    for start in range(0, len(ids), _MAX_PARAMETERS):
        some = {"ids": ids[start : start + _MAX_PARAMETERS]}
        for anomaly_id in connection.execute(_KNOWN, some).scalars():
            del by_id[anomaly_id]
    return list(reversed(by_id.values()))


def _row(anomaly: Anomaly, alert_id: str, now_s: float) -> dict[str, object]:
    trace, parent = anomaly.trace_id, anomaly.parent_agent_id
    return {
        "anomaly_id": anomaly.anomaly_id,
        "agent_id": anomaly.agent_id,
        "alert_id": alert_id,
        "detector": anomaly.detector,
        "severity": int(anomaly.severity),
        "event_time": anomaly.time.timestamp(),
        "stored_at": now_s,
        "trace": None if trace is None else link(trace),
        "parent": None if parent is None else link(parent),
        "doc": anomaly.model_dump_json(),
    }
