"""Reminders: people hear again of what is high or critical and nobody looks after."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from alerting.incident import reminder_due_at
from alerting.mute import muting
from monitor.errors import NotFoundError
from monitor.ledger import alerts, audit, incidents, mutes
from monitor.ledger.incidents import Stored

MAX_AT_ONCE: Final = 20
"""So many reminders are sent in one go; the others follow with the next."""


def is_any_due(connection: Connection, remind_s: float, now_s: float) -> bool:
    """Whether `remind` has anything to do."""
    return bool(_due(connection, remind_s, now_s))


def remind(connection: Connection, receivers: Sequence[str], remind_s: float, now_s: float) -> int:
    """Tell again of incidents that wait for somebody; returns how many.

    What a mute is about by now is not told; its reminder counts as sent.
    """
    audit.lock(connection)  # so that two daemons never do it both
    due = _due(connection, remind_s, now_s)[:MAX_AT_ONCE]
    mutes_on = mutes.active(connection, now_s) if due else []
    now = datetime.fromtimestamp(now_s, UTC)
    for one in due:
        number = one.incident.reminders + 1
        incident = one.incident.model_copy(update={"reminders": number})
        kept = Stored(incident, one.tally, now_s, now_s, False)
        incidents.store(connection, [kept])
        try:
            alert = alerts.get(connection, incident.alert_id)
        except NotFoundError:
            alert = None  # retention took it
        if alert is not None and muting(alert.worst, mutes_on) is not None:
            continue
        waits_h = (now - incident.opened_at).total_seconds() / 3600
        headline = f"nobody has acknowledged it for {waits_h:.0f} hours"
        incidents.tell(
            connection, "reminder", incident, alert, headline, receivers, now, identity=str(number)
        )
    return len(due)


def _due(connection: Connection, remind_s: float, now_s: float) -> list[Stored]:
    now = datetime.fromtimestamp(now_s, UTC)
    found = []
    for one in incidents.open_since(connection, now_s - remind_s):
        told_at = datetime.fromtimestamp(one.told_at or 0.0, UTC)
        due_at = reminder_due_at(one.incident, told_at, remind_s)
        if due_at is not None and due_at <= now:
            found.append(one)
    return found
