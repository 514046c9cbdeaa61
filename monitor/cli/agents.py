"""`tripswitch agents`: who acts, since when, and how well it is known."""

from contextlib import closing
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerting.alert import Alert
from alerting.killswitch import AgentState
from alerting.render import clean
from baselines.summary import EPISODES_TO_LEARN, Learned
from monitor.agent_document import State, agent_document, event_iso
from monitor.cli.app import ConfigOption, JsonOption, app, open_store, print_json_lines
from monitor.cli.approval import approval_app
from monitor.ledger.agents import Standing, standings
from monitor.ledger.alerts import open_alerts
from monitor.store import inventory
from monitor.store.inventory import Known

PIPE_WIDTH: Final = 200
"""Columns where the output is no terminal: nothing should be cut for a reader that is a program."""
MAX_LISTED: Final = 100_000


agents_app = typer.Typer(rich_markup_mode=None)
app.add_typer(agents_app, name="agents")
agents_app.add_typer(approval_app)


@agents_app.callback(
    invoke_without_command=True, epilog="Example: tripswitch agents --role payroll --state learning"
)
def list_(
    context: typer.Context,
    role: Annotated[str | None, typer.Option(help="Of this role.", show_default=False)] = None,
    state: Annotated[
        State | None, typer.Option(help="Only those.", show_default=False, case_sensitive=False)
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_LISTED, help="At most so many, the last seen first.")
    ] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List agents, the last seen first, as of the last checkpoint.

    `learning` counts an agent's runs (its hours, where it names no runs) until limits are its own;
    `calibrated` says since when they are. Of the other kinds of limit `--json` tells the same.
    """
    if context.invoked_subcommand is not None:
        return
    _, store = open_store(config)
    with closing(store):
        with store.read_state() as saved:
            wanted = None if state is None else state is State.CALIBRATED
            found = inventory.newest(saved, role=role, calibrated=wanted, limit=limit + 1)
            used = bool(found) or inventory.was_used(saved)
        shown = found[:limit]
        ids = [known.summary.agent_id for known in shown]
        with store.read() as ledger:
            orders, alerts = standings(ledger, ids), open_alerts(ledger, ids, lock=False)
    if as_json:
        print_json_lines(agent_document(known, orders, alerts) for known in shown)
    elif shown:
        _print(shown, orders, alerts)
        if len(found) > limit:
            typer.echo(f"and more: these are the last {limit} seen; --limit shows more")
    elif not used:
        typer.echo(
            f"no agents: no daemon has used this store yet ({clean(store.url, 500)}). "
            "`tripswitch run` starts one; --config names another store"
        )
    else:
        typer.echo("no agents of this kind" if role or state else "no agents were seen yet")


def _print(listed: list[Known], orders: dict[str, Standing], alerts: dict[str, Alert]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("agent", "role", "version", "first seen", "last seen"):
        table.add_column(name, no_wrap=True)
    table.add_column("events", justify="right", no_wrap=True)
    table.add_column("learned")
    table.add_column("now")
    for known in listed:
        summary = known.summary
        row = (
            clean(summary.agent_id, 40),
            clean(summary.role or "-", 16),
            clean(summary.agent_version or "-", 12),
            event_iso(summary.first_seen_s)[:10],
            event_iso(summary.last_seen_s)[:16].replace("T", " "),
            f"{summary.events:,}",
            _learned(summary.learned["run"]),
            _now(known, orders.get(summary.agent_id), alerts.get(summary.agent_id)),
        )
        table.add_row(*(Text(cell) for cell in row))
    console = Console()
    console.width = console.width if console.is_terminal else PIPE_WIDTH
    console.print(table)


def _learned(runs: Learned) -> str:
    if runs.since_s is None:
        return f"learning, {runs.episodes} of {EPISODES_TO_LEARN} runs"
    return f"calibrated since {event_iso(runs.since_s)[:10]}"


def _now(known: Known, order: Standing | None, alert: Alert | None) -> str:
    """What a person must know about it now; often nothing."""
    told: list[str] = []
    if order is not None and order.state != AgentState.ACTIVE:
        told.append(order.state)
    if alert is not None:
        told.append(f"{alert.severity.label} alert {alert.alert_id}")
    if len(known.sightings) > 1:
        told.append(f"seen in {len(known.sightings)} partitions")
    return ", ".join(told) or "active"
