"""The lifecycle of alerts as people lead it: acknowledged, resolved, expected; with who and why.

Whoever names an incident names all of its alerts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from alerting.alert import Alert, AlertState
from alerting.incident import Incident
from alerting.message import MessageKind
from alerting.policy import acknowledge as acknowledged
from alerting.policy import resolve as resolved
from monitor.errors import NotFoundError, UsageError
from monitor.ledger import alerts, audit, changes, incidents, story
from monitor.ledger.changes import What

MAX_AT_ONCE: Final = 10_000
"""So many alerts of one incident are changed in one go; there are no larger ones in practice."""
_MAX_AUDITED: Final = 100


@dataclass(frozen=True, slots=True)
class Changed:
    """What a person changed.

    Attributes
    ----------
    named
        All alerts that were named, as they are now, the worst first.
    changed
        Those that are not as they were.
    incident
        Theirs, as it is now; None for an alert from before there were incidents.
    """

    named: list[Alert]
    changed: list[Alert]
    incident: Incident | None


def find(connection: Connection, wanted: str) -> list[Alert]:
    """The alerts that an id means, an alert's or an incident's, or the beginning of one.

    Raises
    ------
    NotFoundError
        If nothing has that id.
    UsageError
        If several begin like that.
    """
    alert_id, incident_id = story.ids_of(connection, wanted)
    if alert_id is not None and incident_id is not None and wanted not in (alert_id, incident_id):
        raise UsageError(f"{wanted!r:.60} begins an alert's and an incident's id; type more of it")
    if alert_id is not None and incident_id != wanted:
        return [alerts.get(connection, alert_id)]
    if incident_id is None:
        raise NotFoundError(f"no alert or incident {wanted!r:.60}; `tripswitch alerts` lists them")
    return incidents.alerts_of(connection, incident_id, MAX_AT_ONCE)


def acknowledge(
    connection: Connection,
    wanted: str,
    *,
    by: str,
    reason: str = "",
    receivers: Sequence[str],
    now_s: float,
) -> Changed:
    """Somebody looks after it: nobody is reminded any more. What is not open stays as it is.

    Raises
    ------
    NotFoundError, UsageError
        As of `find`.
    """
    return _change(
        connection,
        wanted,
        "acknowledged",
        lambda alert: acknowledged(alert, by=by) if alert.state == "open" else None,
        by=by,
        reason=reason,
        receivers=receivers,
        now_s=now_s,
    )


def resolve(
    connection: Connection,
    wanted: str,
    *,
    by: str,
    reason: str,
    receivers: Sequence[str],
    now_s: float,
) -> Changed:
    """It is over; what is so already stays as it is.

    Raises
    ------
    NotFoundError, UsageError
        As of `find`.
    """
    now = datetime.fromtimestamp(now_s, UTC)
    return _change(
        connection,
        wanted,
        "resolved",
        lambda alert: resolved(alert, now, by=by, reason=reason) if alert.is_open else None,
        by=by,
        reason=reason,
        receivers=receivers,
        now_s=now_s,
    )


def expect(
    connection: Connection,
    wanted: str,
    *,
    by: str,
    reason: str,
    receivers: Sequence[str],
    now_s: float,
) -> Changed:
    """It was as it should be, also if it is over by now; teaching is `expectations.teach`.

    Raises
    ------
    NotFoundError, UsageError
        As of `find`.
    """
    now = datetime.fromtimestamp(now_s, UTC)

    def expected(alert: Alert) -> Alert | None:
        if alert.state == "expected":
            return None
        return resolved(alert, now, by=by, reason=reason, state="expected")

    return _change(
        connection,
        wanted,
        "expected",
        expected,
        by=by,
        reason=reason,
        receivers=receivers,
        now_s=now_s,
    )


def _change(
    connection: Connection,
    wanted: str,
    what: What,
    change: Callable[[Alert], Alert | None],
    *,
    by: str,
    reason: str,
    receivers: Sequence[str],
    now_s: float,
) -> Changed:
    audit.lock(connection)  # the head first, everywhere: no two transactions wait for each other
    before = find(connection, wanted)
    after = [change(alert) for alert in before]
    made = [alert for alert in after if alert is not None]
    named = [new if new is not None else old for old, new in zip(before, after, strict=True)]
    if made:
        alerts.store(connection, made)
        noted = [changes.of(alert, what, by=by, reason=reason, at_s=now_s) for alert in made]
        changes.note(connection, noted)
        audit.append(
            connection,
            at_s=now_s,
            actor=by,
            action=f"alert {what}",
            subject=made[0].agent_id,
            doc={
                "alert_id": made[0].alert_id,
                "incident_id": made[0].incident_id,
                "alerts": [alert.alert_id for alert in made[:_MAX_AUDITED]],
                "count": len(made),
            },
            text={"reason": reason},
        )
        incident = _settle(connection, made, what, by, reason, receivers, now_s)
    else:
        incident = incidents.of_alert(connection, named[0] if named else None)
    return Changed(named, made, incident)


def _settle(
    connection: Connection,
    made: Sequence[Alert],
    what: What,
    by: str,
    reason: str,
    receivers: Sequence[str],
    now_s: float,
) -> Incident | None:
    """Bring the incident up to its alerts, and tell of it if it is not as it was."""
    stored = incidents.load(connection, {alert.incident_id for alert in made} - {""})
    if not stored:
        return None
    (one,) = stored.values()
    closing: AlertState = "expected" if what == "expected" else "resolved"
    after = incidents.settle(connection, one, closing).incident
    kinds: dict[AlertState, MessageKind] = {
        "acknowledged": "acknowledged",
        "resolved": "resolved",
        "expected": "expected",
    }
    done = after.state == what and after.state != one.incident.state
    kind = kinds[after.state] if done else "updated"
    headline = f"{by}: {reason}" if reason else f"{by} looks after it"
    now = datetime.fromtimestamp(now_s, UTC)
    identity = f"{what}/{now_s}"
    incidents.tell(connection, kind, after, made[0], headline, receivers, now, identity=identity)
    return after
