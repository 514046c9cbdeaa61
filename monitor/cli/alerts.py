"""`tripswitch alerts`, `explain`, `resolve`: what was raised."""

import time
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerting.alert import Alert
from alerting.render import clean
from detectors.finding import Anomaly
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
from monitor.receivers import receiver_names


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
    if as_json:
        print_json_lines(alert.model_dump(mode="json") for alert in found)
        return
    if not found:
        typer.echo("no alerts" if every else "no open alerts; --all shows resolved ones, too")
        return
    table = Table("alert", "opened", "severity", "agent", "state", "anomalies", "what", box=None)
    for alert in found:
        row = (
            alert.alert_id,
            alert.opened_at.strftime("%Y-%m-%d %H:%M:%S"),
            alert.severity.label,
            clean(alert.agent_id, 60),
            alert.state,
            str(alert.anomaly_count),
            clean(alert.worst.text, 200),
        )
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


@app.command(epilog="Example: tripswitch explain 3f9c0a1b2c4d")
def explain(
    alert_id: Annotated[str, typer.Argument(metavar="ALERT", help="An id from `alerts`.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell an alert's whole story: each anomaly with what was expected, and its evidence."""
    _, store = open_store(config)
    with store.read() as ledger:
        alert = ledger_alerts.get(ledger, alert_id)
        gathered = ledger_alerts.anomalies_of(ledger, alert_id)
    if as_json:
        story = alert.model_dump(mode="json")
        print_json(story | {"anomalies": [a.model_dump(mode="json") for a in gathered]})
        return
    lines = [_summary(alert)]
    for anomaly in gathered:
        lines += ["", *_tell(anomaly)]
    typer.echo("\n".join(lines))


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
            receivers=receiver_names(chosen),
            now_s=time.time(),
        )
    if as_json:
        print_json(alert.model_dump(mode="json"))
    else:
        typer.echo(f"alert {alert.alert_id} is {alert.state} by {alert.resolved_by}")


def _tell(anomaly: Anomaly) -> list[str]:
    rarity = f", p = {anomaly.p_value:.2g}" if anomaly.p_value is not None else ""
    figures = (
        f"observed {anomaly.observed:.6g}, expected {anomaly.expected:.6g}, alarms above "
        f"{anomaly.threshold:.6g} ({clean(anomaly.unit, 120)}){rarity}, {anomaly.calibration}"
    )
    event, run = clean(anomaly.event_id, 120), clean(anomaly.trace_id or "-", 120)
    place = f"{clean(anomaly.source, 200)}/{anomaly.partition} at {anomaly.offset}"
    return [
        f"{anomaly.time:%Y-%m-%d %H:%M:%S}  {anomaly.severity.label}  {anomaly.detector}",
        f"  {clean(anomaly.text, 600)}",
        f"  {figures}",
        f"  event {event} of run {run}: {place}",
    ]


def _summary(alert: Alert) -> str:
    lasted = (alert.resolved_at or datetime.now(UTC)) - alert.opened_at
    ending = f" by {alert.resolved_by}: {alert.resolved_reason}" if alert.resolved_at else ""
    return clean(
        f"{alert.severity.label} alert {alert.alert_id} about {alert.agent_id}"
        f" (role {alert.role or 'not said'}), {alert.state}{ending}; "
        f"{alert.anomaly_count} anomalies in {lasted.total_seconds() / 60:.0f} minutes",
        1000,
    )
