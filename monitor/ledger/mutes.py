"""Mutes in the ledger: begun and ended by people, ended by time; what they hid is counted."""

import json
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, insert, select, update

from alerting.alert import OPEN_STATES, Alert
from alerting.killswitch import is_person
from alerting.message import Message
from alerting.mute import Matcher, Mute
from detectors.finding import Severity
from monitor.errors import NotFoundError, UsageError
from monitor.ledger import alerts, audit, changes, incidents, outbox
from monitor.store.schema import alerts as alerts_table
from monitor.store.schema import mutes
from monitor.store.sql import storable

FLEET: Final = "all agents"
MAX_COMING_OUT: Final = 10
"""So many alerts that come out when a mute ends are told one by one."""
_MAX_LISTED: Final = 5


@dataclass(frozen=True, slots=True)
class MuteRow:
    """One mute. Times are seconds since the epoch.

    Attributes
    ----------
    ended_at, ended_by
        When it really ended and by whom; None while nobody has noted its end.
    hidden
        How many alerts it has kept back.
    """

    mute_id: str
    matcher: Matcher
    reason: str
    muted_by: str
    since: float
    until: float
    ended_at: float | None
    ended_by: str | None
    hidden: int

    def is_on(self, now_s: float) -> bool:
        """Whether it holds."""
        return self.ended_at is None and self.until > now_s


def active(connection: Connection, now_s: float) -> list[Mute]:
    """Those that are on, the oldest first."""
    found = _read(connection, mutes.c.ended_at.is_(None), mutes.c.until > now_s)
    return [Mute(one.mute_id, one.matcher) for one in reversed(found)]


def newest(connection: Connection, *, now_s: float | None, limit: int = 100) -> list[MuteRow]:
    """Mutes, the newest first; only those that are on at `now_s`, if given."""
    if now_s is None:
        return _read(connection, limit=limit)
    return _read(connection, mutes.c.ended_at.is_(None), mutes.c.until > now_s, limit=limit)


def mute(
    connection: Connection,
    matcher: Matcher,
    *,
    reason: str,
    by: str,
    now_s: float,
    lasts_s: float,
) -> MuteRow:
    """Begin a mute.

    Raises
    ------
    UsageError
        If no person asks, without a reason, or if it is about everything.
    """
    _check(by, reason)
    if matcher == Matcher():
        raise UsageError("a mute is about something: give an agent, role, detector or target")
    audit.lock(connection)
    mute_id = uuid.uuid4().hex[:12]
    doc = {
        name: storable(value) if isinstance(value, str) else value
        for name, value in asdict(matcher).items()
    }
    connection.execute(
        insert(mutes).values(
            mute_id=mute_id,
            doc=json.dumps(doc),
            reason=storable(reason),
            muted_by=storable(by),
            since=now_s,
            until=now_s + lasts_s,
            hidden=0,
        )
    )
    begun = get(connection, mute_id)
    audit.append(
        connection,
        at_s=now_s,
        actor=by,
        action="mute begun",
        subject=matcher.agent or FLEET,
        doc={"mute_id": mute_id, "until": begun.until},
        text={"reason": reason, "about": matcher.words},
    )
    return begun


def unmute(
    connection: Connection,
    mute_id: str,
    *,
    reason: str,
    by: str,
    receivers: Sequence[str],
    now_s: float,
) -> MuteRow:
    """End a mute before its time; one that is over stays as it is.

    Raises
    ------
    UsageError
        If no person asks, or without a reason.
    NotFoundError
        If there is none of that id.
    """
    _check(by, reason)
    audit.lock(connection)
    found = get(connection, mute_id)
    if found.ended_at is None:
        _end(connection, found, min(now_s, found.until), by, reason, receivers, now_s)
    return get(connection, mute_id)


def ran_out(connection: Connection, now_s: float) -> bool:
    """Whether the time of a mute is over and nobody has told so yet."""
    return bool(_read(connection, mutes.c.ended_at.is_(None), mutes.c.until <= now_s, limit=1))


def end_what_ran_out(connection: Connection, receivers: Sequence[str], now_s: float) -> int:
    """Note and tell the end of mutes whose time is over; returns how many."""
    audit.lock(connection)
    over = _read(connection, mutes.c.ended_at.is_(None), mutes.c.until <= now_s)
    for one in over:
        _end(connection, one, one.until, changes.SERVICE, "its time is over", receivers, now_s)
    return len(over)


def count_hidden(connection: Connection, hidden: Counter[str]) -> None:
    """Add how many alerts each mute has kept back."""
    for mute_id, many in hidden.items():
        mine = update(mutes).where(mutes.c.mute_id == mute_id)
        connection.execute(mine.values(hidden=mutes.c.hidden + many))


def get(connection: Connection, mute_id: str) -> MuteRow:
    """One mute.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    found = _read(connection, mutes.c.mute_id == mute_id)
    if not found:
        raise NotFoundError(f"no mute {mute_id!r:.60}; `tripswitch mutes --all` lists them")
    return found[0]


def hidden_by(connection: Connection, mute_id: str, limit: int) -> list[Alert]:
    """Alerts that a mute keeps back, the worst first."""
    query = (
        select(alerts_table.c.doc)
        .where(alerts_table.c.muted_by == mute_id)
        .order_by(alerts_table.c.severity.desc(), alerts_table.c.opened_at)
        .limit(limit)
    )
    return [Alert.model_validate_json(doc) for doc in connection.execute(query).scalars()]


def _check(by: str, reason: str) -> None:
    if not is_person(by):
        raise UsageError(f"only a person mutes and unmutes, not {by!r:.100}")
    if not reason.strip():
        raise UsageError("a mute, and its end, needs a reason")


def _end(
    connection: Connection,
    over: MuteRow,
    ended_at: float,
    by: str,
    reason: str,
    receivers: Sequence[str],
    now_s: float,
) -> None:
    connection.execute(
        update(mutes)
        .where(mutes.c.mute_id == over.mute_id)
        .values(ended_at=ended_at, ended_by=storable(by))
    )
    audit.append(
        connection,
        at_s=now_s,
        actor=by,
        action="mute ended",
        subject=over.matcher.agent or FLEET,
        doc={"mute_id": over.mute_id, "hidden": over.hidden, "ended_at": ended_at},
        text={"reason": reason},
    )
    listed = hidden_by(connection, over.mute_id, _MAX_LISTED)
    out = _bring_out(connection, over.mute_id, receivers, now_s)
    details = [
        ("mute", over.mute_id),
        ("was about", over.matcher.words),
        ("muted by", f"{over.muted_by}: {over.reason}"),
        ("kept back", f"{over.hidden:,} alerts"),
        ("come out now", f"{out:,} that are open and high"),
    ]
    details += [
        (f"alert {one.alert_id}", f"{one.severity.label}, {one.agent_id}: {one.worst.text}")
        for one in listed
    ]
    worst = max((one.severity for one in listed), default=Severity.LOW)
    message = Message(
        kind="mute_ended",
        agent_id=FLEET,
        at=datetime.fromtimestamp(now_s, UTC),
        severity=worst,
        headline=f"a mute is over ({by}: {reason}); it kept {over.hidden:,} alerts back",
        details=tuple(details),
    )
    identity = f"mute_ended/{over.mute_id}"
    outbox.enqueue(connection, message, identity=identity, receivers=receivers, now_s=now_s)


def _bring_out(connection: Connection, mute_id: str, receivers: Sequence[str], now_s: float) -> int:
    """Let alerts out that are still open and at least high; returns how many."""
    query = (
        select(alerts_table.c.doc)
        .where(
            alerts_table.c.muted_by == mute_id,
            alerts_table.c.state.in_(OPEN_STATES),
            alerts_table.c.severity >= int(Severity.HIGH),
        )
        .order_by(alerts_table.c.severity.desc(), alerts_table.c.opened_at)
    )
    docs = connection.execute(query).scalars()
    out = [Alert.model_validate_json(d).model_copy(update={"muted_by": None}) for d in docs]
    alerts.store(connection, out)
    reason, now = f"mute {mute_id} is over", datetime.fromtimestamp(now_s, UTC)
    made = [changes.of(a, "unmuted", by=changes.SERVICE, reason=reason, at_s=now_s) for a in out]
    changes.note(connection, made)
    for alert in out[:MAX_COMING_OUT]:
        stored = incidents.load(connection, [alert.incident_id]).get(alert.incident_id)
        if stored is not None and alert.is_told:
            told = stored.incident.model_copy(update={"is_told": True})
            incidents.store(connection, [incidents.Stored(told, stored.tally, now_s, now_s, False)])
            identity = f"unmuted/{alert.alert_id}"
            incidents.tell(connection, "opened", told, alert, "", receivers, now, identity=identity)
    return len(out)


def _read(
    connection: Connection, *which: ColumnElement[bool], limit: int | None = None
) -> list[MuteRow]:
    query = select(mutes).where(*which).order_by(mutes.c.since.desc()).limit(limit)
    return [_row(dict(row)) for row in connection.execute(query).mappings()]


def _row(values: dict[str, Any]) -> MuteRow:
    doc = json.loads(values.pop("doc"))
    pairs = tuple((tool, target) for tool, target in doc.pop("tools_and_targets", ()))
    detectors = tuple(doc.pop("detectors", ()))
    return MuteRow(matcher=Matcher(**doc, tools_and_targets=pairs, detectors=detectors), **values)
