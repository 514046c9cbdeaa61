"""`tripswitch alerts`, `resolve`: what was raised."""

import time
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerting.alert import Alert
from alerting.cap import WEEK_S
from alerting.render import clean
from monitor.cli.app import (
    ConfigOption,
    JsonOption,
    app,
    open_store,
    operator,
    print_json,
    print_json_lines,
)
from monitor.ledger import alerts as ledger_alerts
from monitor.routing import routing


@app.command(epilog="Example: tripswitch alerts --all --agent payroll-1")
def alerts(
    every: Annotated[bool, typer.Option("--all", help="Resolved ones, too.")] = False,
    agent: Annotated[
        str | None, typer.Option(help="Of this agent alone.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List alerts, the newest first."""
    _, store = open_store(config)
    with store.read() as ledger:
        found = ledger_alerts.newest(ledger, open_only=not every, agent_id=agent, limit=limit)
        unsent = ledger_alerts.charged_since(ledger, time.time() - WEEK_S, "capped")
    if as_json:
        print_json_lines(alert.model_dump(mode="json") for alert in found)
        return
    if not found:
        typer.echo("no alerts" if every else "no open alerts; --all shows resolved ones, too")
    else:
        Console().print(_table(found))
    if unsent:
        typer.echo(f"{unsent:,} alerts over the fleet's budget were not sent in the last 7 days")


@app.command(epilog='Example: tripswitch resolve 3f9c0a1b2c4d --reason "a planned migration"')
def resolve(
    alert_id: Annotated[str, typer.Argument(metavar="ALERT", help="An id from `alerts`.")],
    reason: Annotated[str, typer.Option(help="Why it is over; goes into the audit.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Resolve an alert."""
    chosen, store = open_store(config)
    with store.ledger() as ledger:
        alert = ledger_alerts.resolve_by_person(
            ledger,
            alert_id,
            by=operator(),
            reason=reason,
            receivers=routing(chosen),
            now_s=time.time(),
        )
    if as_json:
        print_json(alert.model_dump(mode="json"))
    else:
        typer.echo(f"alert {alert.alert_id} is {alert.state} by {alert.resolved_by}")


def _table(found: Sequence[Alert]) -> Table:
    table = Table("alert", "opened", "severity", "agent", "state", "anomalies", "what", box=None)
    for alert in found:
        row = (
            alert.alert_id,
            alert.opened_at.strftime("%Y-%m-%d %H:%M:%S"),
            alert.severity.label,
            clean(alert.agent_id, 60),
            f"{alert.state}, capped" if alert.charge == "capped" else alert.state,
            str(alert.anomaly_count),
            clean(alert.worst.text, 200),
        )
        table.add_row(*(Text(cell) for cell in row))
    return table
