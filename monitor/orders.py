"""Orders about one agent, as the command line and the HTTP API carry them out alike.

First the order becomes durable (`order_kill`, `order_restore`), then `drive` tries each
enforcement point once; what does not confirm is left to the daemon.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, select

from alerting.render import clean
from baselines.event import MAX_NAME_CHARS
from monitor.attempts import close_point
from monitor.config import Config
from monitor.documents import trip_document
from monitor.enforcement import (
    enforcement_points,
    longest_attempt_s,
    point_limits,
    point_names,
)
from monitor.errors import ExitCode, UsageError
from monitor.kill_lane import Driver
from monitor.ledger import hold, trips
from monitor.routing import routing
from monitor.store import Store
from monitor.store.engine import STORE_ERRORS
from monitor.store.engine import reason as said_by
from monitor.store.schema import alerts, anomalies, claims, grants, profiles

MAX_AGENT_CHARS = 80


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of an order so far.

    Attributes
    ----------
    trip
        As it stands after each point was tried.
    exit_code
        Confirmed everywhere, partly, or a point was given up.
    notes
        What whoever ordered should know.
    facts
        More of the document: `new`, and for a kill `seen`.
    """

    trip: trips.Trip
    exit_code: ExitCode
    notes: tuple[str, ...]
    facts: dict[str, Any]

    def document(self, store: Store) -> dict[str, Any]:
        """The order as JSON; a contract."""
        return {
            **trip_document(self.trip),
            **self.facts,
            "store": store.url,
            "notes": list(self.notes),
            "exit_code": self.exit_code,
        }


def check_agent(agent: str) -> None:
    """Refuse what can be no agent's id."""
    if not agent or len(agent) > MAX_NAME_CHARS:
        raise UsageError(f"an agent's id has 1 to {MAX_NAME_CHARS} characters, not {len(agent)}")
    try:
        agent.encode()
    except UnicodeEncodeError:
        raise UsageError(f"agent {clean(agent, MAX_AGENT_CHARS)!r}: the id is no UTF-8") from None
    if "\x00" in agent:
        raise UsageError("an agent's id holds no NUL")


def check_order(agent: str, reason: str) -> None:
    """Refuse what can be no agent's id, and an empty reason."""
    check_agent(agent)
    check_reason(reason)


def check_reason(reason: str) -> None:
    """Refuse an empty reason."""
    if not reason.strip():
        raise UsageError("the reason is empty: say why, for those who ask later")


def order_kill(config: Config, store: Store, *, agent: str, reason: str, by: str) -> trips.Trip:
    """Make the order to cut an agent off durable; the registry refuses it from then on."""
    check_order(agent, reason)
    with store.ledger() as ledger:
        return trips.order_kill(
            ledger,
            agent_id=agent,
            reason=reason,
            ordered_by=by,
            automatic=False,
            now_s=time.time(),
            points=point_names(config),
            receivers=routing(config),
        )


def order_restore(
    config: Config,
    store: Store,
    *,
    agent: str,
    reason: str,
    by: str,
    probation_s: float | None = None,
) -> trips.Trip:
    """Make the order to give an agent back durable; probation as configured unless stated."""
    check_order(agent, reason)
    with store.ledger() as ledger:
        return trips.order_restore(
            ledger,
            agent_id=agent,
            reason=reason,
            ordered_by=by,
            now_s=time.time(),
            probation_s=config.trip.probation_s if probation_s is None else probation_s,
            receivers=routing(config),
        )


def carry_out_kill(config: Config, store: Store, ordered: trips.Trip, owner: str) -> Carried:
    """Drive a kill, and tell what whoever ordered it should know."""
    trip, notes = _drive(config, store, ordered, owner)
    exit_code = trip.verdict()
    seen = _or_none(lambda: _was_seen(store, trip.agent_id))
    if not ordered.is_new:
        notes.append(f"cut off already since trip {trip.trip_id}; no new order")
        if _or_none(lambda: _is_held(store, trip.agent_id)):
            notes.append("it stays cut off when the hold that it is under is lifted")
    if seen is False:
        notes.append("this agent was never seen here; it is blocked all the same")
    if _or_none(lambda: _has_daemon(store)) is False:
        notes.append(
            "no daemon has ever used this default store: if yours uses another, nobody else "
            "follows this order. Name it with --config or TRIPSWITCH_STORE__URL"
        )
        exit_code = max(exit_code, ExitCode.PARTLY)
    return Carried(trip, exit_code, tuple(notes), {"new": ordered.is_new, "seen": seen})


def carry_out_restore(config: Config, store: Store, ordered: trips.Trip, owner: str) -> Carried:
    """Drive a restore, likewise."""
    trip, notes = _drive(config, store, ordered, owner)
    if not ordered.is_new:
        notes.append("its restore was ordered before; no new order")
    return Carried(trip, trip.verdict(), tuple(notes), {"new": ordered.is_new})


def _drive(
    config: Config, store: Store, ordered: trips.Trip, owner: str
) -> tuple[trips.Trip, list[str]]:
    """Try each open point once. The order is durable: whatever fails here is retried later."""
    deadline_s = time.time() + longest_attempt_s(config) + 1
    with driver(config, store, owner) as opened:
        try:
            opened.drive_trip(ordered.trip_id, deadline_s)
            with store.read() as ledger:
                return trips.get(ledger, ordered.trip_id), []
        except STORE_ERRORS as error:
            return ordered, [f"ordered, but then store {store.url}: {said_by(error)}"]


@contextmanager
def driver(config: Config, store: Store, owner: str) -> Iterator[Driver]:
    """What drives the configured enforcement points for a while; `owner` names it in leases."""
    with ExitStack() as stack:
        points = enforcement_points(config, strict=False)  # the others are driven all the same
        for name, point in points.items():
            stack.callback(close_point, name, point)
        yield Driver(
            store,
            points,
            owner=owner,
            receivers=routing(config),
            timeout_s=config.trip.point_timeout_s,
            limits=point_limits(config),
        )


def _or_none(ask: Callable[[], bool]) -> bool | None:
    """What the store says; None if it cannot be asked now."""
    try:
        return ask()
    except STORE_ERRORS:
        return None


def _was_seen(store: Store, agent: str) -> bool:
    """Whether anything but an order is known of the agent."""
    with store.read() as ledger:
        if any(_has(ledger, table, agent) for table in (grants, alerts, anomalies)):
            return True
    with store.read_state() as state:
        return _has(state, profiles, agent)


def _has(connection: Connection, table: Table, agent: str) -> bool:
    found = connection.execute(
        select(1).select_from(table).where(table.c.agent_id == agent).limit(1)
    )
    return found.first() is not None


def _is_held(store: Store, agent: str) -> bool:
    """Whether a hold that is on is about this agent."""
    with store.read() as ledger:
        return ledger.execute(hold.covering(agent)).first() is not None


def _has_daemon(store: Store) -> bool:
    """Whether this is a store that somebody named, or that a daemon has claimed shards in."""
    if not store.is_default:
        return True
    with store.read() as ledger:
        return ledger.execute(select(1).select_from(claims).limit(1)).first() is not None
