"""Reads from the store what the daemon made of it all. Nothing here is known in advance."""

from sqlalchemy import func, select

from alerting.alert import Alert
from detectors.finding import Anomaly
from monitor.ledger import alerts as ledger_alerts
from monitor.ledger import lifecycle, trips
from monitor.store import Store
from monitor.store.schema import alerts, anomalies, profiles


def learned_until(store: Store) -> float:
    """Event time up to which profiles are saved, in seconds since the epoch; 0 for none."""
    with store.state() as connection:
        return connection.scalar(select(func.max(profiles.c.last_seen))) or 0.0


def counts(store: Store) -> tuple[int, int]:
    """How many alerts were ever opened, and how many anomalies they gather."""
    with store.read() as connection:
        opened, gathered = (
            connection.scalar(select(func.count()).select_from(table)) or 0
            for table in (alerts, anomalies)
        )
    return opened, gathered


def put_behind(store: Store, now_s: float) -> None:
    """Resolve every open alert, as somebody on call would who has looked at them all."""
    with store.ledger() as connection:
        for alert in ledger_alerts.newest(connection, open_only=True):
            lifecycle.resolve(
                connection, alert.alert_id, by="demo", reason="about the simulated past",
                receivers=(), now_s=now_s,
            )  # fmt: skip


def alert_since(store: Store, agent_id: str, since_s: float) -> Alert | None:
    """The agent's last alert, if something was added to it since then."""
    query = select(alerts.c.doc).where(
        alerts.c.agent_id == agent_id, alerts.c.last_anomaly_at >= since_s
    )
    with store.read() as connection:
        doc = connection.scalar(query.order_by(alerts.c.opened_at.desc()).limit(1))
    return None if doc is None else Alert.model_validate_json(doc)


def trip_of(store: Store, agent_id: str) -> trips.Trip | None:
    """The agent's last trip."""
    with store.read() as connection:
        return next(iter(trips.list_trips(connection, agent_id, limit=1)), None)


def evidence_of(store: Store, trip: trips.Trip) -> Anomaly | None:
    """The anomaly for which a rule ordered the trip."""
    query = select(anomalies.c.doc).where(anomalies.c.anomaly_id == trip.anomaly_id)
    with store.read() as connection:
        doc = connection.scalar(query)
    return None if doc is None else Anomaly.model_validate_json(doc)
