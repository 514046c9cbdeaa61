"""Pauses of all automatic trips; they hold in every process that shares the store, at once.

People's orders go on as ever, and so do the rules' questions to people: only what nobody decides
waits. The audit's head is locked before a pause is read for a decision, so that no trip is
ordered past a pause that is being written.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, insert, select, update

from alerting.killswitch import is_person
from alerting.message import Message
from detectors.finding import Severity
from monitor.errors import NotFoundError, UsageError
from monitor.ledger import audit, outbox
from monitor.store.schema import pauses
from monitor.store.sql import storable

FLEET = "all agents"


@dataclass(frozen=True, slots=True)
class Pause:
    """One pause. Times are seconds since the epoch.

    Attributes
    ----------
    until
        When it ends by itself.
    ended_at, ended_by
        When it really ended and by whom; None while nobody has noted its end.
    held
        How many trips it held back, one for each alert and rule.
    """

    pause_id: str
    reason: str
    paused_by: str
    since: float
    until: float
    ended_at: float | None
    ended_by: str | None
    held: int

    def words(self) -> str:
        """Why no trip is automatic now."""
        until = datetime.fromtimestamp(self.until, UTC).isoformat(timespec="seconds")
        return f"automatic trips are paused until {until} by {self.paused_by}: {self.reason}"


def current(connection: Connection, now_s: float) -> Pause | None:
    """The pause that is on, if any."""
    found = _read(connection, pauses.c.ended_at.is_(None), pauses.c.until > now_s)
    return found[0] if found else None


def pause(
    connection: Connection,
    *,
    reason: str,
    by: str,
    now_s: float,
    lasts_s: float,
    receivers: Sequence[str],
) -> Pause:
    """Hold all automatic trips for a time; a pause that is on already is replaced by this one.

    Raises
    ------
    UsageError
        If no person asks, or without a reason.
    """
    _check(by, reason)
    audit.lock(connection)
    for former in _read(connection, pauses.c.ended_at.is_(None)):
        _end(connection, former, min(now_s, former.until), by)
    pause_id, reason = uuid.uuid4().hex[:12], storable(reason)
    connection.execute(
        insert(pauses).values(
            pause_id=pause_id,
            reason=reason,
            paused_by=storable(by),
            since=now_s,
            until=now_s + lasts_s,
            held=0,
        )
    )
    begun = _get(connection, pause_id)
    audit.append(
        connection,
        at_s=now_s,
        actor=by,
        action="automatic trips paused",
        subject=FLEET,
        doc={"pause_id": pause_id, "until": begun.until},
        text={"reason": reason},
    )
    _tell(connection, begun, "begun", begun.words(), receivers, now_s)
    return begun


def resume(
    connection: Connection, *, reason: str, by: str, now_s: float, receivers: Sequence[str]
) -> Pause:
    """End the pause that is on.

    Raises
    ------
    UsageError
        If no person asks, or without a reason.
    NotFoundError
        If none is on.
    """
    _check(by, reason)
    audit.lock(connection)
    on = current(connection, now_s)
    if on is None:
        raise NotFoundError("automatic trips are not paused: nothing to resume")
    _end(connection, on, now_s, by)
    _tell_end(connection, on.pause_id, by, storable(reason), receivers, now_s)
    return _get(connection, on.pause_id)


def ran_out(connection: Connection, now_s: float) -> bool:
    """Whether a pause ended by itself and nobody has told so yet."""
    return bool(_read(connection, pauses.c.ended_at.is_(None), pauses.c.until <= now_s))


def end_what_ran_out(connection: Connection, receivers: Sequence[str], now_s: float) -> int:
    """Note and tell the end of pauses whose time is over; returns how many."""
    audit.lock(connection)
    over = _read(connection, pauses.c.ended_at.is_(None), pauses.c.until <= now_s)
    for one in over:
        _end(connection, one, one.until, "tripswitch")
        _tell_end(connection, one.pause_id, "tripswitch", "its time is over", receivers, now_s)
    return len(over)


def count_held(connection: Connection, now_s: float) -> None:
    """One more trip was held back by the pause that is on."""
    on = current(connection, now_s)
    if on is not None:
        connection.execute(
            update(pauses).where(pauses.c.pause_id == on.pause_id).values(held=pauses.c.held + 1)
        )


def _check(by: str, reason: str) -> None:
    if not is_person(by):
        raise UsageError(f"only a person pauses and resumes automatic trips, not {by!r:.100}")
    if not reason.strip():
        raise UsageError("a pause, and its end, needs a reason")


def _end(connection: Connection, which: Pause, ended_at: float, by: str) -> None:
    connection.execute(
        update(pauses)
        .where(pauses.c.pause_id == which.pause_id)
        .values(ended_at=ended_at, ended_by=storable(by))
    )


def _tell_end(
    connection: Connection,
    pause_id: str,
    by: str,
    reason: str,
    receivers: Sequence[str],
    now_s: float,
) -> None:
    ended = _get(connection, pause_id)
    audit.append(
        connection,
        at_s=now_s,
        actor=by,
        action="automatic trips resumed",
        subject=FLEET,
        doc={"pause_id": pause_id, "held": ended.held, "ended_at": ended.ended_at},
        text={"reason": reason},
    )
    headline = f"automatic trips are in force again ({by}: {reason})"
    _tell(connection, ended, "ended", headline, receivers, now_s)


def _tell(
    connection: Connection,
    about: Pause,
    what: str,
    headline: str,
    receivers: Sequence[str],
    now_s: float,
) -> None:
    held = (("held back meanwhile", f"{about.held} trips"),) if what == "ended" else ()
    message = Message(
        kind="autotrip",
        agent_id=FLEET,
        at=datetime.fromtimestamp(now_s, UTC),
        severity=Severity.HIGH,
        headline=headline,
        details=(("pause", about.pause_id), *held),
    )
    identity = f"autotrip/{about.pause_id}/{what}"
    outbox.enqueue(connection, message, identity=identity, receivers=receivers, now_s=now_s)


def _get(connection: Connection, pause_id: str) -> Pause:
    return _read(connection, pauses.c.pause_id == pause_id)[0]


def _read(connection: Connection, *which: ColumnElement[bool]) -> list[Pause]:
    query = select(pauses).where(*which).order_by(pauses.c.since.desc())
    return [Pause(**row) for row in connection.execute(query).mappings()]
