"""Anomalies in shadow: what would have alarmed if its rule were armed."""

from typing import Final

from sqlalchemy import Connection, select

from detectors.finding import Anomaly
from monitor.store.schema import anomalies

NO_ALERT: Final = ""
"""The alert of an anomaly in shadow."""


def newest(connection: Connection, *, agent_id: str | None, limit: int) -> list[Anomaly]:
    """What would have alarmed, the latest event first; of one agent, or of all."""
    query = (
        select(anomalies.c.doc)
        .where(anomalies.c.alert_id == NO_ALERT)
        .order_by(anomalies.c.event_time.desc(), anomalies.c.anomaly_id)
        .limit(limit)
    )
    if agent_id is not None:
        query = query.where(anomalies.c.agent_id == agent_id)
    return [Anomaly.model_validate_json(doc) for doc in connection.execute(query).scalars()]
