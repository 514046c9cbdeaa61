"""Changes of alerts: who changed what, when and why. They go when their alert does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import Connection, delete, insert, select

from alerting.alert import Alert
from monitor.store.schema import alert_changes, alerts
from monitor.store.sql import storable

SERVICE: Final = "tripswitch"

What = Literal[
    "opened",
    "raised",
    "reopened",
    "acknowledged",
    "resolved",
    "expected",
    "capped",
    "muted",
    "unmuted",
    "inhibited",
]


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `by` is a person, or who in the service: a detector, `quiet`, a mute."""

    alert_id: str
    incident_id: str
    at: float
    by: str
    change: str
    reason: str


def of(alert: Alert, what: What, *, by: str, reason: str, at_s: float) -> Change:
    """A change of an alert, as it is after it."""
    return Change(alert.alert_id, alert.incident_id, at_s, storable(by), what, storable(reason))


def note(connection: Connection, made: Sequence[Change]) -> None:
    """Write changes, in order."""
    if made:
        rows = [{name: getattr(one, name) for name in Change.__slots__} for one in made]
        connection.execute(insert(alert_changes), rows)


def history(connection: Connection, alert_id: str, limit: int = 200) -> list[Change]:
    """What became of an alert, the oldest first; of very much, the newest."""
    columns = [alert_changes.c[name] for name in Change.__slots__]
    query = (
        select(*columns)
        .where(alert_changes.c.alert_id == alert_id)
        .order_by(alert_changes.c.seq.desc())
        .limit(limit)
    )
    return [Change(*row) for row in connection.execute(query)][::-1]


def forget(connection: Connection, alert_ids: Sequence[str]) -> None:
    """Forget the changes of these alerts."""
    connection.execute(delete(alert_changes).where(alert_changes.c.alert_id.in_(alert_ids)))


def prune(connection: Connection) -> None:
    """Forget the changes of alerts that are gone."""
    known = select(alerts.c.alert_id)
    connection.execute(delete(alert_changes).where(alert_changes.c.alert_id.not_in(known)))
