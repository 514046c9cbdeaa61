"""`tripswitch agents`: who acts, since when, and how well it is known."""

from contextlib import closing
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerting.alert import Alert
from alerting.killswitch import AgentState
from alerting.render import clean
from baselines.summary import EPISODES_TO_LEARN, Learned
from monitor.cli.app import ConfigOption, JsonOption, app, open_store, print_json_lines
from monitor.cli.approval import approval_app
from monitor.ledger.agents import Standing, standings
from monitor.ledger.alerts import open_alerts
from monitor.store import inventory
from monitor.store.inventory import Known

PIPE_WIDTH: Final = 200
"""Columns where the output is no terminal: nothing should be cut for a reader that is a program."""
MAX_LISTED: Final = 100_000

_LATEST_S: Final = 253_402_300_799.0  # 9999-12-31T23:59:59Z; what lies beyond is no date here
_EARLIEST_S: Final = -62_135_596_800.0


class State(StrEnum):
    """How well an agent is known, by its runs."""

    LEARNING = "learning"
    CALIBRATED = "calibrated"


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
        print_json_lines(_document(known, orders, alerts) for known in shown)
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


def _document(
    known: Known, orders: dict[str, Standing], alerts: dict[str, Alert]
) -> dict[str, Any]:
    """One agent as JSON; the names are a contract."""
    summary = known.summary
    order, alert = orders.get(summary.agent_id), alerts.get(summary.agent_id)
    return {
        "agent_id": summary.agent_id,
        "role": summary.role,
        "agent_version": summary.agent_version,
        "first_seen": _iso(summary.first_seen_s),
        "last_seen": _iso(summary.last_seen_s),
        "events": summary.events,
        **_learned_document(summary.learned["run"]),
        "learned": {family: _learned_document(of) for family, of in summary.learned.items()},
        "standing": order.state if order else AgentState.ACTIVE,
        "standing_since": _iso(order.since_s) if order else None,
        "trip_id": order.trip_id if order else None,
        "alert": alert
        and {
            "alert_id": alert.alert_id,
            "severity": alert.severity.label,
            "state": alert.state,
            "opened_at": alert.opened_at.isoformat(),
            "anomaly_count": alert.anomaly_count,
        },
        "seen_in": [
            {"source": seen.source, "partition": seen.partition, "at": _iso(seen.last_seen_s)}
            for seen in known.sightings
        ],
    }


def _learned_document(learned: Learned) -> dict[str, Any]:
    return {
        "state": State.LEARNING if learned.since_s is None else State.CALIBRATED,
        "calibrated_since": None if learned.since_s is None else _iso(learned.since_s),
        "episodes": learned.episodes,
        "episodes_to_learn": EPISODES_TO_LEARN,
    }


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
            _iso(summary.first_seen_s)[:10],
            _iso(summary.last_seen_s)[:16].replace("T", " "),
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
    return f"calibrated since {_iso(runs.since_s)[:10]}"


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


def _iso(time_s: float) -> str:
    """Event time as RFC 3339; an agent may name a time that no calendar here reaches."""
    bounded_s = min(max(time_s, _EARLIEST_S), _LATEST_S)
    return datetime.fromtimestamp(bounded_s, UTC).isoformat(timespec="seconds")
