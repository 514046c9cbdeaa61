"""What the guards of automatic trips weigh, and what is told when one holds a trip back."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, func, select

from alerting.alert import Alert
from alerting.message import Message, MessageKind
from alerting.trip_policy import Lately, Objection
from monitor.ledger import audit, incidents, outbox, pauses, trips
from monitor.store.schema import trips as trips_table

HOUR_S: Final = 3600.0


def lately(connection: Connection, agent_id: str, now_s: float) -> Lately:
    """What the guards weigh. The audit's head is locked."""
    paused = pauses.current(connection, now_s)
    restored_s = connection.execute(
        select(func.max(trips_table.c.restore_ordered_at)).where(trips_table.c.agent_id == agent_id)
    ).scalar()
    return Lately(
        trips=trips.automatic_since(connection, now_s - HOUR_S),
        paused=None if paused is None else paused.words(),
        restored_at=None if restored_s is None else utc(restored_s),
    )


def held_back(
    connection: Connection,
    rule: str,
    objection: Objection,
    alert: Alert,
    receivers: Sequence[str],
    now_s: float,
) -> None:
    """Tell and audit what a guard held back, once for each alert, rule and guard."""
    headline = f"rule {rule} did not cut the agent off: {objection.words}"
    told = message(connection, "trip_held", alert, headline, now_s)
    identity = f"trip_held/{alert.alert_id}/{rule}/{objection.guard}"
    if receivers and not outbox.enqueue(connection, told, receivers, now_s, identity=identity):
        return
    if objection.guard == "paused":
        pauses.count_held(connection, now_s)
    audit.append(
        connection,
        at_s=now_s,
        actor=f"rule:{rule}",
        action="automatic trip held back",
        subject=alert.agent_id,
        doc={"alert_id": alert.alert_id, "guard": objection.guard},
        text={"reason": objection.words},
    )


def message(
    connection: Connection,
    kind: MessageKind,
    alert: Alert,
    headline: str,
    now_s: float,
    details: tuple[tuple[str, str], ...] = (),
) -> Message:
    """What is told of a rule and an alert, with the incident that this is part of."""
    return Message(
        kind=kind,
        agent_id=alert.agent_id,
        at=utc(now_s),
        severity=alert.severity,
        headline=headline,
        details=details,
        alert=alert,
        incident=incidents.told_of(connection, alert),
    )


def utc(time_s: float) -> datetime:
    """A time in seconds since the epoch."""
    return datetime.fromtimestamp(time_s, UTC)
