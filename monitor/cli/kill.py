"""`tripswitch kill` and `restore`: they work with the daemon and Kafka down."""

import logging
import os
import socket
import time
from contextlib import closing
from typing import Annotated, Any

import typer
from sqlalchemy import Connection, Table, select
from sqlalchemy.exc import DBAPIError

from alerting.killswitch import OPEN
from alerting.render import clean
from baselines.event import MAX_NAME_CHARS
from monitor.cli.app import ConfigOption, JsonOption, app, open_store, operator, print_json
from monitor.cli.trip_view import MAX_AGENT_CHARS, point_line
from monitor.config import Config
from monitor.documents import trip_document
from monitor.enforcement import enforcement_points, point_names
from monitor.errors import ExitCode, UsageError
from monitor.kill_lane import Driver
from monitor.ledger import trips
from monitor.receivers import receiver_names
from monitor.store import Store
from monitor.store.engine import reason as said_by
from monitor.store.schema import alerts, anomalies, claims, grants, profiles

AgentArgument = Annotated[str, typer.Argument(metavar="AGENT", help="The agent's id.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]


@app.command(epilog="Example: tripswitch kill payroll-7 --reason 'sends data out, INC-42'")
def kill(
    agent: AgentArgument,
    reason: ReasonOption,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Cut an agent off, now. Any id will do, also of an agent that was never seen.

    Exit code 0: every enforcement point confirmed. 3: some are being retried by the daemon, or
    the store is a default one that no daemon has used. 4: a point was given up.
    """
    check_order(agent, reason)
    chosen, store = open_store(config)
    with closing(store):
        with store.ledger() as ledger:
            ordered = trips.order_kill(
                ledger,
                agent_id=agent,
                reason=reason,
                ordered_by=operator(),
                automatic=False,
                now_s=time.time(),
                points=point_names(chosen),
                receivers=receiver_names(chosen),
            )
        trip = _drive(chosen, store, ordered)
        seen, watched = _was_seen(store, agent), _has_daemon(store)
    notes = [] if ordered.is_new else [f"cut off already since trip {trip.trip_id}; no new order"]
    if seen is False:
        notes.append("this agent was never seen here; it is blocked all the same")
    exit_code = trip.verdict()
    if not watched:
        notes.append(
            "no daemon has ever used this default store: if yours uses another, nobody else "
            "follows this order. Name it with --config or TRIPSWITCH_STORE__URL"
        )
        exit_code = max(exit_code, ExitCode.PARTLY)
    _report(store, trip, notes, exit_code, as_json, {"new": ordered.is_new, "seen": seen})
    return exit_code


@app.command(epilog="Example: tripswitch restore payroll-7 --reason 'false alarm, INC-42'")
def restore(
    agent: AgentArgument,
    reason: ReasonOption,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Give an agent back what its trip took away and what has not expired since.

    Exit code 0: every enforcement point confirmed. 3: some are being retried by the daemon.
    5: the agent was never cut off.
    """
    check_order(agent, reason)
    chosen, store = open_store(config)
    with closing(store):
        with store.ledger() as ledger:
            ordered = trips.order_restore(
                ledger,
                agent_id=agent,
                reason=reason,
                ordered_by=operator(),
                now_s=time.time(),
                probation_s=chosen.trip.probation_s,
                receivers=receiver_names(chosen),
            )
        trip = _drive(chosen, store, ordered)
    notes = [] if ordered.is_new else ["its restore was ordered before; no new order"]
    exit_code = trip.verdict()
    _report(store, trip, notes, exit_code, as_json, {"new": ordered.is_new})
    return exit_code


def check_order(agent: str, reason: str) -> None:
    """Refuse what can be no agent's id, and an empty reason."""
    if not agent or len(agent) > MAX_NAME_CHARS:
        raise UsageError(f"an agent's id has 1 to {MAX_NAME_CHARS} characters, not {len(agent)}")
    try:
        agent.encode()
    except UnicodeEncodeError:
        raise UsageError(f"agent {clean(agent, MAX_AGENT_CHARS)!r}: the id is no UTF-8") from None
    if "\x00" in agent:
        raise UsageError("an agent's id holds no NUL")
    if not reason.strip():
        raise UsageError("--reason is empty: say why, for those who ask later")


def _drive(config: Config, store: Store, ordered: trips.Trip) -> trips.Trip:
    """Try each open point once. The order is durable: whatever fails here is retried later."""
    for name in ("kafka", Driver.__module__):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # the reason stands beside the point
    timeout_s = config.trip.point_timeout_s
    driver = Driver(
        store,
        enforcement_points(config),
        owner=f"cli:{socket.gethostname()}:{os.getpid()}",
        receivers=receiver_names(config),
        timeout_s=timeout_s,
    )
    deadline_s = time.time() + timeout_s * len(ordered.points) + 1
    try:
        driver.drive_trip(ordered.trip_id, deadline_s)
        with store.read() as ledger:
            return trips.get(ledger, ordered.trip_id)
    except DBAPIError as error:
        typer.echo(f"tripswitch: ordered, but then store {store.url}: {said_by(error)}", err=True)
        return ordered


def _was_seen(store: Store, agent: str) -> bool | None:
    """Whether anything but this order is known of the agent; None if that cannot be told now."""
    try:
        with store.read() as ledger:
            if any(_has(ledger, table, agent) for table in (grants, alerts, anomalies)):
                return True
        with store.read_state() as state:
            return _has(state, profiles, agent)
    except DBAPIError:
        return None


def _has(connection: Connection, table: Table, agent: str) -> bool:
    found = connection.execute(
        select(1).select_from(table).where(table.c.agent_id == agent).limit(1)
    )
    return found.first() is not None


def _has_daemon(store: Store) -> bool:
    """Whether this is a store that somebody named, or that a daemon has claimed shards in."""
    if not store.is_default:
        return True
    with store.read() as ledger:
        return ledger.execute(select(1).select_from(claims).limit(1)).first() is not None


def _report(
    store: Store,
    trip: trips.Trip,
    notes: list[str],
    exit_code: ExitCode,
    as_json: bool,
    more: dict[str, Any],
) -> None:
    if as_json:
        print_json(
            {
                **trip_document(trip),
                **more,
                "store": store.url,
                "notes": notes,
                "exit_code": exit_code,
            }
        )
        return
    typer.echo(f"{clean(trip.agent_id, MAX_AGENT_CHARS)}: {trip.state} (trip {trip.trip_id})")
    for point in trip.points:
        typer.echo(point_line(point))
    if any(point.state in OPEN for point in trip.points):
        typer.echo("  the daemon goes on trying what has not confirmed; see `tripswitch trips`")
    for note in notes:
        typer.echo(f"  note: {note}")
    typer.echo(f"  store: {clean(store.url, 500)}")
