"""`tripswitch kill` and `restore`: they work with the daemon and Kafka down."""

import logging
import os
import socket
from contextlib import closing
from typing import Annotated

import typer

from alerting.killswitch import OPEN
from alerting.render import clean
from monitor import orders
from monitor.cli.app import ConfigOption, JsonOption, app, open_store, operator, print_json
from monitor.cli.trip_view import MAX_AGENT_CHARS, point_line
from monitor.kill_lane import Driver
from monitor.store import Store

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
    orders.check_order(agent, reason)
    chosen, store = open_store(config)
    with closing(store):
        ordered = orders.order_kill(chosen, store, agent=agent, reason=reason, by=operator())
        carried = orders.carry_out_kill(chosen, store, ordered, _owner())
    _report(store, carried, as_json)
    return carried.exit_code


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
    orders.check_order(agent, reason)
    chosen, store = open_store(config)
    with closing(store):
        ordered = orders.order_restore(chosen, store, agent=agent, reason=reason, by=operator())
        carried = orders.carry_out_restore(chosen, store, ordered, _owner())
    _report(store, carried, as_json)
    return carried.exit_code


def _owner() -> str:
    """Names this command in its leases; why a point failed is told beside the point alone."""
    for name in ("kafka", Driver.__module__):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return f"cli:{socket.gethostname()}:{os.getpid()}"


def _report(store: Store, carried: orders.Carried, as_json: bool) -> None:
    if as_json:
        print_json(carried.document(store))
        return
    trip = carried.trip
    typer.echo(f"{clean(trip.agent_id, MAX_AGENT_CHARS)}: {trip.state} (trip {trip.trip_id})")
    for point in trip.points:
        typer.echo(point_line(point))
    if any(point.state in OPEN for point in trip.points):
        typer.echo("  the daemon goes on trying what has not confirmed; see `tripswitch trips`")
    for note in carried.notes:
        typer.echo(f"  note: {clean(note, 500)}")
    typer.echo(f"  store: {clean(store.url, 500)}")
