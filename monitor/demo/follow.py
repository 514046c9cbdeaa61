"""Reads from the store what the daemon made of it all. Nothing here is known in advance."""

from typing import NamedTuple

from sqlalchemy import func, select

from alerting.alert import Alert
from monitor.store import Store
from monitor.store.schema import alerts, points, profiles, trips


class Trip(NamedTuple):
    """A trip as the ledger has it; times in seconds since the epoch."""

    trip_id: str
    reason: str
    ordered_at: float
    contained_at: float | None
    effective_count: int
    refused_count: int
    silent_at: float | None


def learned_until(store: Store) -> float:
    """Event time up to which profiles are saved, in seconds since the epoch; 0 for none."""
    with store.state() as connection:
        return connection.scalar(select(func.max(profiles.c.last_seen))) or 0.0


def alert_count(store: Store) -> int:
    """How many alerts were ever opened."""
    with store.read() as connection:
        return connection.scalar(select(func.count()).select_from(alerts)) or 0


def alert_of(store: Store, agent_id: str, since_s: float) -> Alert | None:
    """The agent's alert whose worst anomaly happened since then, if there is one."""
    of_agent = select(alerts.c.doc).where(alerts.c.agent_id == agent_id)
    with store.read() as connection:
        found = [Alert.model_validate_json(doc) for doc in connection.scalars(of_agent)]
    return next((alert for alert in found if alert.worst.time.timestamp() >= since_s), None)


def trip_of(store: Store, agent_id: str) -> Trip | None:
    """The agent's last trip."""
    columns = [trips.c[name] for name in Trip._fields]
    query = select(*columns).where(trips.c.agent_id == agent_id)
    with store.read() as connection:
        row = connection.execute(query.order_by(trips.c.order_seq.desc()).limit(1)).first()
    return None if row is None else Trip(*row)


def points_of(store: Store, trip_id: str) -> dict[str, str]:
    """Each enforcement point of a trip, and its state."""
    query = select(points.c.point, points.c.state).where(points.c.trip_id == trip_id)
    with store.read() as connection:
        return {point: state for point, state in connection.execute(query)}
