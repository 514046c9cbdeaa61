"""`tripswitch alerts`: what was raised, and what became of it."""

import time
from collections.abc import Sequence
from contextlib import closing
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from alerting.alert import Alert
from alerting.cap import WEEK_S
from alerting.incident import Incident
from alerting.render import clean
from monitor.cli.app import (
    ConfigOption,
    JsonOption,
    app,
    open_store,
    print_json,
    print_json_lines,
)
from monitor.documents import iso
from monitor.ledger import alerts as ledger_alerts
from monitor.ledger import changes, incidents, lifecycle
from monitor.ledger.changes import Change
from monitor.store import Store

_MAX_SHOWN = 20


@app.command(epilog="Example: tripswitch alerts --all --agent payroll-1")
def alerts(
    wanted: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            help="Show the history of this alert or incident; the id's beginning is enough.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Muted and resolved ones, too.")] = False,
    agent: Annotated[
        str | None, typer.Option(help="Of this agent alone.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List alerts, the newest first; or tell what became of one, by whom, when and why."""
    _, store = open_store(config)
    with closing(store):
        if wanted is not None:
            _show(store, wanted, limit, as_json)
            return
        with store.read() as ledger:
            found = ledger_alerts.newest(ledger, open_only=not every, agent_id=agent, limit=limit)
            unsent = ledger_alerts.charged_since(ledger, time.time() - WEEK_S, "capped")
            muted = ledger_alerts.count_muted(ledger)
    if as_json:
        print_json_lines(alert.model_dump(mode="json") for alert in found)
        return
    if not found:
        typer.echo("no alerts" if every else "no open alerts; --all shows resolved ones, too")
    else:
        Console().print(_table(found))
    if unsent:
        typer.echo(f"{unsent:,} alerts over the fleet's budget were not sent in the last 7 days")
    if muted and not every:
        typer.echo(f"{muted:,} open alerts are muted; --all shows them")


def _show(store: Store, wanted: str, limit: int, as_json: bool) -> None:
    with store.read() as ledger:
        named = lifecycle.find(ledger, wanted)
        incident = incidents.of_alert(ledger, named[0] if named else None)
        shown = named[:limit]
        histories = [changes.history(ledger, alert.alert_id) for alert in shown[:_MAX_SHOWN]]
    if as_json:
        print_json(_document(shown, histories, incident, len(named)))
        return
    lines = _incident_lines(incident) if incident is not None else []
    for alert, history in zip(shown, histories, strict=False):
        lines += _alert_lines(alert, history)
    if len(named) > len(histories):
        lines.append(f"{len(named) - len(histories):,} further alerts of it: tripswitch alerts ID")
    typer.echo("\n".join(lines))


def _document(
    shown: Sequence[Alert],
    histories: Sequence[Sequence[Change]],
    incident: Incident | None,
    count: int,
) -> dict[str, Any]:
    told = [
        alert.model_dump(mode="json")
        | {
            "history": [
                {"at": iso(one.at), "change": one.change, "by": one.by, "reason": one.reason}
                for one in history
            ]
        }
        for alert, history in zip(shown, histories, strict=False)
    ]
    return {
        "incident": incident.model_dump(mode="json") if incident is not None else None,
        "alerts": told,
        "alerts_left_out": count - len(told),
    }


def _incident_lines(incident: Incident) -> list[str]:
    named = ", ".join(clean(agent, 60) for agent in incident.agents)
    more = incident.agent_count - len(incident.agents)
    agents = f"{named} and {more:,} more" if more > 0 else named
    about = f"{incident.severity.label}, {incident.state}, {clean(incident.sentence, 300)}"
    return [f"incident {incident.incident_id}: {about}", f"  agents: {agents}"]


def _alert_lines(alert: Alert, history: Sequence[Change]) -> list[str]:
    what = f"{clean(alert.agent_id, 100)}: {clean(alert.worst.text, 200)}"
    lines = ["", f"alert {alert.alert_id}: {alert.severity.label}, {_state(alert)}, {what}"]
    for one in history:
        at = (iso(one.at) or "")[:19].replace("T", " ")
        why = f": {clean(one.reason, 200)}" if one.reason else ""
        lines.append(f"  {at}  {one.change} by {clean(one.by, 100)}{why}")
    return lines


def _state(alert: Alert) -> str:
    if alert.charge == "capped":
        return f"{alert.state}, capped"
    if alert.muted_by is not None:
        return f"{alert.state}, muted"
    return f"{alert.state}, explained" if alert.inhibited_by is not None else alert.state


def _table(found: Sequence[Alert]) -> Table:
    ids = (Column(name, no_wrap=True, min_width=12) for name in ("alert", "incident"))
    others = ("opened", "severity", "agent", "state", "anomalies", "what")
    table = Table(*ids, *others, box=None)
    for alert in found:
        row = (
            alert.alert_id,
            alert.incident_id or "–",
            alert.opened_at.strftime("%Y-%m-%d %H:%M:%S"),
            alert.severity.label,
            clean(alert.agent_id, 60),
            _state(alert),
            str(alert.anomaly_count),
            clean(alert.worst.text, 200),
        )
        table.add_row(*(Text(cell) for cell in row))
    return table
