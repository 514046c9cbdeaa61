"""What settled rows of the ledger say of a person or an agent, and erasing it.

Settled is what no decision hangs on any more: trips of which the agent is active again or that a
later one replaced, grants that are over, orders that were decided, holds that were lifted,
directives that were applied, alerts that were resolved, messages that were sent or given up. What
is in force keeps its words, for those who must decide about it; erase again once it is over.
"""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    func,
    not_,
    or_,
    select,
    update,
)

from alerting.alert import OPEN_STATES, Alert
from alerting.killswitch import AgentState
from alerting.message import Message
from monitor.ledger import alerts as ledger_alerts
from monitor.ledger import changes, incidents, streams
from monitor.store.schema import (
    actions,
    agents,
    alert_changes,
    alerts,
    anomalies,
    approvals,
    directives,
    grants,
    holds,
    mutes,
    outbox,
    pauses,
    points,
    tokens,
    trips,
)

ERASED: Final = "(erased)"


class _Words(NamedTuple):
    """A column that says who, and one with what they wrote."""

    who: Column[str]
    wrote: Column[str] | None = None


class _Room(NamedTuple):
    """A table with words, which of its rows are settled by now, and whom they are about."""

    table: Table
    is_settled: Callable[[float], ColumnElement[bool]]
    words: tuple[_Words, ...]
    agent: Column[str] | None = None


_STANDS: Final = (agents.c.trip_id == trips.c.trip_id, agents.c.state != AgentState.ACTIVE)
TRIP_IS_OVER: Final = ~select(agents.c.agent_id).where(*_STANDS).exists()
"""Of a trip: its agent is active again, or a later one took its place."""

_OPEN_ALERTS: Final = select(alerts.c.alert_id).where(alerts.c.state.in_(OPEN_STATES))

_ROOMS: Final = (
    _Room(
        trips,
        lambda _now_s: TRIP_IS_OVER,
        (
            _Words(trips.c.ordered_by, trips.c.reason),
            _Words(trips.c.restore_ordered_by, trips.c.restore_reason),
        ),
        trips.c.agent_id,
    ),
    _Room(
        grants,
        # what a trip has revoked, a restore gives back
        lambda now_s: or_(
            grants.c.expires_at <= now_s, not_(grants.c.revoked_by.startswith("trip:"))
        ),
        (_Words(grants.c.granted_by, grants.c.reason), _Words(grants.c.revoked_by)),
        grants.c.agent_id,
    ),
    _Room(
        approvals,
        lambda _now_s: approvals.c.state != "waiting",
        (
            _Words(approvals.c.asked_by, approvals.c.reason),
            _Words(approvals.c.decided_by, approvals.c.decided_reason),
        ),
        approvals.c.subject,
    ),
    _Room(
        holds,
        lambda _now_s: holds.c.lifted_at.is_not(None),
        (
            _Words(holds.c.ordered_by, holds.c.reason),
            _Words(holds.c.confirmed_by),
            _Words(holds.c.lifted_by, holds.c.lifted_reason),
        ),
    ),
    _Room(
        pauses,
        lambda now_s: or_(pauses.c.until <= now_s, pauses.c.ended_at.is_not(None)),
        (_Words(pauses.c.paused_by, pauses.c.reason), _Words(pauses.c.ended_by)),
    ),
    _Room(
        mutes,
        lambda now_s: or_(mutes.c.until <= now_s, mutes.c.ended_at.is_not(None)),
        (_Words(mutes.c.muted_by, mutes.c.reason), _Words(mutes.c.ended_by)),
    ),
    _Room(
        alert_changes,
        lambda _now_s: alert_changes.c.alert_id.not_in(_OPEN_ALERTS),
        (_Words(alert_changes.c.by, alert_changes.c.reason),),
    ),
    _Room(
        directives,
        lambda _now_s: directives.c.offset.is_not(None),
        (_Words(directives.c.by, directives.c.reason),),
        directives.c.agent_id,
    ),
    _Room(
        tokens,
        lambda now_s: or_(tokens.c.revoked_at.is_not(None), tokens.c.expires_at <= now_s),
        (_Words(tokens.c.created_by), _Words(tokens.c.revoked_by)),
    ),
)


def erase_person(connection: Connection, person: str, now_s: float) -> dict[str, int]:
    """Erase who a person is, and what they wrote; returns how many words of which table."""
    erased: Counter[str] = Counter()
    bare = person.partition(":")[2]  # as `agents approve --by` takes it
    for room in _ROOMS:
        for who, wrote in room.words:
            names = [person, bare] if room.table is directives else [person]
            values: dict[str, Any] = {who.name: ERASED}
            if wrote is not None:
                values[wrote.name] = ERASED
            statement = update(room.table).where(room.is_settled(now_s), who.in_(names))
            erased[room.table.name] += connection.execute(statement.values(values)).rowcount
    erased["alerts"] += _erase_from_alerts(connection, person)
    erased["outbox"] += _blank(connection, _holds_text(connection, outbox.c.doc, person))
    return dict(+erased)


def erase_agent(connection: Connection, agent_id: str, now_s: float) -> dict[str, int]:
    """Erase what was written about an agent; returns how many words of which table.

    Its history, its resolved alerts and their anomalies go as a whole: all that they say is about
    it. Rows that
    keep the agent cut off, or say that it was, keep its id.
    """
    erased: Counter[str] = Counter()
    for room in _ROOMS:
        for _, wrote in room.words:
            if room.agent is None or wrote is None:
                continue
            statement = update(room.table).where(
                room.is_settled(now_s), room.agent == agent_id, wrote != ERASED
            )
            erased[room.table.name] += connection.execute(
                statement.values({wrote.name: ERASED})
            ).rowcount
    over = select(trips.c.trip_id).where(trips.c.agent_id == agent_id, TRIP_IS_OVER)
    said = update(points).where(points.c.trip_id.in_(over), points.c.last_error.is_not(None))
    erased["points"] += connection.execute(said.values(last_error=None)).rowcount
    done = delete(actions).where(actions.c.agent_id == agent_id)
    erased["actions"] += connection.execute(done).rowcount
    own, *shared = streams.about(connection, agent_id)  # before its alerts are gone
    erased["incidents"] += incidents.forget_agent(connection, agent_id, ERASED)
    for table in (anomalies, alerts):
        settled = delete(table).where(
            table.c.agent_id == agent_id, table.c.alert_id.not_in(_OPEN_ALERTS)
        )
        erased[table.name] += connection.execute(settled).rowcount
    changes.prune(connection)
    names_it = _holds_text(connection, outbox.c.doc, agent_id)
    about_it = and_(outbox.c.stream.in_(shared), names_it)
    erased["outbox"] += _blank(connection, or_(outbox.c.stream == own, about_it))
    return dict(+erased)


def _erase_from_alerts(connection: Connection, person: str) -> int:
    mentions = _holds_text(connection, alerts.c.doc, person)
    query = select(alerts.c.doc).where(alerts.c.state.not_in(OPEN_STATES), mentions)
    theirs = [
        alert.model_copy(update=_without(alert, person))
        for alert in map(Alert.model_validate_json, connection.execute(query).scalars())
        if person in (alert.resolved_by, alert.acknowledged_by)
    ]
    ledger_alerts.store(connection, theirs)
    return len(theirs)


def _without(alert: Alert, person: str) -> dict[str, str]:
    gone = {"acknowledged_by": ERASED} if alert.acknowledged_by == person else {}
    if alert.resolved_by == person:
        gone |= {"resolved_by": ERASED, "resolved_reason": ERASED}
    return gone


def _blank(connection: Connection, which: ColumnElement[bool]) -> int:
    """Keep of messages that were settled nothing but that there was one: its id keeps off repeats.

    What was told already is with whoever was told.
    """
    query = select(outbox.c.seq, outbox.c.doc).where(outbox.c.state != "pending", which)
    blanked = 0
    for seq, doc in connection.execute(query).all():
        try:
            message = Message.model_validate_json(doc)
        except ValidationError:
            empty = "{}"  # another version wrote it
        else:
            bare = {"headline": ERASED, "details": (), "alert": None, "incident": None}
            empty = message.model_copy(update=bare).model_dump_json()
        if doc != empty:
            values = {"doc": empty, "last_error": None}
            connection.execute(update(outbox).where(outbox.c.seq == seq).values(values))
            blanked += 1
    return blanked


def _holds_text(connection: Connection, doc: Column[str], words: str) -> ColumnElement[bool]:
    """Whether a JSON document has these words in one of its texts."""
    escaped = json.dumps(words, ensure_ascii=False)[1:-1]
    find = func.strpos if connection.dialect.name == "postgresql" else func.instr
    return find(doc, escaped) > 0
