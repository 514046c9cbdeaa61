"""Conditions in the ledger: what is wrong with the monitor itself, told at its begin and its end.

A condition is of one process, or shared by all that use the store (`process` is empty then). Of a
process that is gone the rows grow stale: whoever sees the same trouble takes such a row over, and
what nobody takes over is ended.
"""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, select, update

from alerting.health import Condition
from alerting.health_rules import RULES, ConditionKind
from alerting.message import Message, MessageKind
from alerting.render import clean
from alerting.routes import Routing
from detectors.finding import Severity
from monitor.ledger import outbox
from monitor.ledger.forgetting import forget_some
from monitor.store.schema import conditions
from monitor.store.sql import insert_if_missing, storable

log = logging.getLogger(__name__)

STALE_S: Final = 120.0
"""A process that has not said for so long that its condition holds is taken for gone."""
ORPHAN_S: Final = 600.0
_ABOUT_A_RECEIVER: Final = frozenset[ConditionKind](("receiver", "undelivered"))


@dataclass(frozen=True, slots=True)
class Kept:
    """A condition as the ledger has it; `ended_at` is None while it holds."""

    condition_id: str
    process: str
    kind: ConditionKind
    subject: str
    severity: Severity
    text: str
    since: float
    ended_at: float | None
    explained_by: ConditionKind | None

    @property
    def condition(self) -> Condition:
        """What it says."""
        return Condition(self.kind, self.subject, self.text, self.since, self.explained_by)


def begin(
    connection: Connection,
    condition: Condition,
    process: str,
    receivers: Sequence[str],
    now_s: float,
) -> None:
    """Keep that it holds, and tell people unless another condition explains it.

    Told already is what another process said of the whole store, and what a process said that is
    gone by now.
    """
    known = _taken_over(connection, condition, process, now_s)
    if known is not None:
        _follow(connection, known, condition, receivers, now_s)
        return
    kept = Kept(
        condition_id=uuid.uuid4().hex,
        process=process,
        kind=condition.kind,
        subject=storable(condition.subject),
        severity=condition.severity,
        text=storable(condition.text),
        since=condition.since_s,
        ended_at=None,
        explained_by=condition.explained_by,
    )
    row = {name: getattr(kept, name) for name in Kept.__dataclass_fields__}
    row |= {"severity": int(kept.severity), "seen_at": now_s}
    if insert_if_missing(connection, conditions, row) and kept.explained_by is None:
        _tell(connection, "health", kept, kept.text, receivers, now_s)


def follow(
    connection: Connection,
    condition: Condition,
    process: str,
    receivers: Sequence[str],
    now_s: float,
) -> None:
    """Keep what it says by now; one that outlasts what explained it is told."""
    known = _one(connection, *_of(process, condition))
    if known is not None:
        _follow(connection, known, condition, receivers, now_s)


def end(
    connection: Connection,
    condition: Condition,
    process: str,
    receivers: Sequence[str],
    now_s: float,
) -> None:
    """It is over: whoever was told of it is told that."""
    known = _one(connection, *_of(process, condition))
    if known is not None:
        _end(connection, known, receivers, now_s, "it is over")


def end_orphans(connection: Connection, receivers: Sequence[str], now_s: float) -> None:
    """End what only a process knew that has said nothing for long."""
    query = _open().where(conditions.c.process != "", conditions.c.seen_at < now_s - ORPHAN_S)
    for row in connection.execute(query).mappings().all():
        _end(connection, _kept(row), receivers, now_s, "the process that said so is gone")


def seen(connection: Connection, process: str, now_s: float) -> None:
    """A process says that its conditions still hold."""
    statement = update(conditions).where(
        conditions.c.process == process, conditions.c.ended_at.is_(None)
    )
    connection.execute(statement.values(seen_at=now_s))


def open_now(connection: Connection, process: str | None = None) -> list[Kept]:
    """What holds, the worst first; of one process and the whole store, or of all."""
    query = _open().order_by(conditions.c.severity.desc(), conditions.c.since)
    if process is not None:
        query = query.where(conditions.c.process.in_(("", process)))
    return [_kept(row) for row in connection.execute(query).mappings()]


def between(connection: Connection, since_s: float, until_s: float, limit: int) -> list[Kept]:
    """What began in a time, the worst first."""
    query = (
        select(*_columns())
        .where(conditions.c.since >= since_s, conditions.c.since < until_s)
        .order_by(conditions.c.severity.desc(), conditions.c.since)
        .limit(limit)
    )
    return [_kept(row) for row in connection.execute(query).mappings()]


def prune(connection: Connection, before_s: float) -> int:
    """Forget some of what ended before then; returns how many."""
    return forget_some(connection, conditions, conditions.c.ended_at < before_s)


def _taken_over(
    connection: Connection, condition: Condition, process: str, now_s: float
) -> Kept | None:
    known = _one(connection, *_of(process, condition))
    if known is not None or not process:
        return known
    left = _one(
        connection,
        conditions.c.process != "",
        conditions.c.kind == condition.kind,
        conditions.c.subject == storable(condition.subject),
        conditions.c.seen_at < now_s - STALE_S,
    )
    if left is not None:
        taken = update(conditions).where(conditions.c.condition_id == left.condition_id)
        connection.execute(taken.values(process=process, seen_at=now_s))
    return left


def _follow(
    connection: Connection,
    known: Kept,
    condition: Condition,
    receivers: Sequence[str],
    now_s: float,
) -> None:
    changed = update(conditions).where(conditions.c.condition_id == known.condition_id)
    text, explained_by = storable(condition.text), condition.explained_by
    told = known.explained_by is None
    connection.execute(
        # what was told stays told, whatever turns up that would have explained it
        changed.values(text=text, explained_by=None if told else explained_by, seen_at=now_s)
    )
    if not told and explained_by is None:
        _tell(connection, "health", known, text, receivers, now_s)


def _end(
    connection: Connection, known: Kept, receivers: Sequence[str], now_s: float, how: str
) -> None:
    ended = update(conditions).where(
        conditions.c.condition_id == known.condition_id, conditions.c.ended_at.is_(None)
    )
    is_ours = connection.execute(ended.values(ended_at=now_s)).rowcount == 1
    if is_ours and known.explained_by is None:
        _tell(connection, "health_over", known, f"{how}: {known.text}", receivers, now_s)


def _tell(
    connection: Connection,
    kind: MessageKind,
    kept: Kept,
    text: str,
    receivers: Sequence[str],
    now_s: float,
) -> None:
    is_over = kind == "health_over"
    details = [("condition", kept.kind), ("about", kept.subject)]
    if kept.process:
        details.append(("process", kept.process))
    if is_over:
        details.append(("lasted", f"{max(0.0, now_s - kept.since):.0f} s"))
    else:
        details.append(("what to do", RULES[kept.kind].advice))
    message = Message(
        kind=kind,
        agent_id="",
        at=datetime.fromtimestamp(now_s, UTC),
        severity=kept.severity,
        headline=text,
        details=tuple(details),
        story=kept.condition_id,
    )
    said = f"{kept.kind} of {clean(kept.subject)}: {clean(text, 600)}"
    log.log(logging.INFO if is_over else logging.ERROR, said)
    names = receivers.receivers(message) if isinstance(receivers, Routing) else tuple(receivers)
    if kept.kind in _ABOUT_A_RECEIVER:
        # not by the way that is blocked; any other will do
        names = tuple(name for name in names if name != kept.subject) or tuple(
            name for name in receivers if name != kept.subject
        )
    identity = f"{kind}/{kept.condition_id}"
    outbox.enqueue(connection, message, names, now_s, identity=identity)


def _columns() -> list[ColumnElement[Any]]:
    return [conditions.c[name] for name in Kept.__dataclass_fields__]


def _open() -> Any:
    return select(*_columns()).where(conditions.c.ended_at.is_(None))


def _of(process: str, condition: Condition) -> tuple[ColumnElement[bool], ...]:
    return (
        conditions.c.process == process,
        conditions.c.kind == condition.kind,
        conditions.c.subject == storable(condition.subject),
    )


def _one(connection: Connection, *which: ColumnElement[bool]) -> Kept | None:
    row = connection.execute(_open().where(*which).limit(1)).mappings().one_or_none()
    return None if row is None else _kept(row)


def _kept(row: Any) -> Kept:
    values = {**row, "severity": Severity(row["severity"])}
    return Kept(**values)
