"""The story of an alert: found by any id, with its anomalies, who was told, and its trips."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from pydantic import ValidationError
from sqlalchemy import Column, Connection, select

from alerting.alert import Alert
from alerting.message import Message
from detectors.finding import Anomaly
from monitor.errors import NotFoundError, UsageError
from monitor.ledger import alerts as ledger_alerts
from monitor.ledger import changes, deliveries, trip
from monitor.ledger.changes import Change
from monitor.ledger.trip import Trip
from monitor.store.schema import alerts, anomalies, incidents

_MAX_TRIPS: Final = 20


class Told(NamedTuple):
    """One delivery about the alert. Times are seconds since the epoch."""

    kind: str
    severity: str
    receiver: str
    state: str
    created_at: float
    settled_at: float | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """All that the ledger has of an alert.

    Parameters
    ----------
    alert
        None where only the anomaly is left of it, or none was ever opened for it.
    anomalies
        In order of event time; one alone where its own id was asked for.
    told
        In the order of their creation.
    trips
        Ordered on the evidence of the alert's anomalies, the oldest first.
    history
        Who changed what about it, when and why, the oldest first.
    """

    alert: Alert | None
    anomalies: list[Anomaly]
    told: list[Told]
    trips: list[Trip]
    history: list[Change]

    @property
    def agent_id(self) -> str:
        """Whom it is about."""
        return self.alert.agent_id if self.alert else self.anomalies[0].agent_id


def find(connection: Connection, wanted: str, limit: int) -> Story:
    """The story that an alert's id, an anomaly's, or the beginning of one names.

    Parameters
    ----------
    wanted
        What a person typed.
    limit
        Most anomalies to return.

    Raises
    ------
    NotFoundError
        If nothing has that id.
    UsageError
        If several ids begin like that.
    """
    alert_id = _one(connection, alerts.c.alert_id, wanted)
    anomaly_id = None if alert_id == wanted else _one(connection, anomalies.c.anomaly_id, wanted)
    if alert_id is not None and anomaly_id is not None:
        if anomaly_id != wanted:
            raise UsageError(f"{wanted!r:.60} begins an alert's and an anomaly's id; type more")
        alert_id = None
    if alert_id is not None:
        found = ledger_alerts.anomalies_of(connection, alert_id, limit)
        return _tell(connection, ledger_alerts.get(connection, alert_id), found)
    if anomaly_id is None:
        raise NotFoundError(f"no alert {wanted!r:.60}; `tripswitch alerts` lists them")
    row = connection.execute(
        select(anomalies.c.alert_id, anomalies.c.doc).where(anomalies.c.anomaly_id == anomaly_id)
    ).one()
    doc = connection.execute(
        select(alerts.c.doc).where(alerts.c.alert_id == row.alert_id)
    ).scalar_one_or_none()
    alert = Alert.model_validate_json(doc) if doc is not None else None
    return _tell(connection, alert, [Anomaly.model_validate_json(row.doc)])


def ids_of(connection: Connection, wanted: str) -> tuple[str | None, str | None]:
    """The alert and the incident that have this id or the only ones that begin with it.

    Raises
    ------
    UsageError
        If several alerts, or several incidents, begin like that.
    """
    alert_id = _one(connection, alerts.c.alert_id, wanted)
    if alert_id == wanted:
        return alert_id, None
    return alert_id, _one(connection, incidents.c.incident_id, wanted)


def _one(connection: Connection, column: Column[str], wanted: str) -> str | None:
    """The id that is this text, or else the only one that begins with it."""
    if not wanted or "\x00" in wanted or not wanted.isprintable():
        return None
    query = select(column).where(column.startswith(wanted, autoescape=True)).order_by(column)
    found = connection.execute(query.limit(2)).scalars().all()
    if len(found) > 1 and found[0] != wanted:
        raise UsageError(f"several ids begin with {wanted!r:.60}; type more of it")
    return found[0] if found else None


def _tell(connection: Connection, alert: Alert | None, found: list[Anomaly]) -> Story:
    if alert is None:
        return Story(None, found, [], [], [])
    told = []
    for delivery in deliveries.about_agent(connection, alert.agent_id):
        try:
            message = Message.model_validate_json(delivery["doc"])
        except ValidationError:
            continue  # another version wrote it
        about = message.incident.incident_id if message.incident is not None else None
        mine = message.alert is not None and message.alert.alert_id == alert.alert_id
        if mine or (about is not None and about == alert.incident_id):
            told.append(
                Told(
                    message.kind,
                    message.severity.label,
                    delivery["receiver"],
                    delivery["state"],
                    delivery["created_at"],
                    delivery["settled_at"],
                    delivery["last_error"],
                )
            )
    trips = trip.on_evidence_of(connection, alert.alert_id, _MAX_TRIPS)
    return Story(alert, found, told, trips, changes.history(connection, alert.alert_id))
