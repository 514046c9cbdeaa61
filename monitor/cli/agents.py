"""`tripswitch agents`: who acts, since when, whose it is, and how well it is known."""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerting.killswitch import AgentState
from alerting.render import clean
from monitor import roster
from monitor.agent_document import State, agent_document
from monitor.cli.app import ConfigOption, JsonOption, app, open_store, print_json_lines
from monitor.cli.approval import approval_app
from monitor.cli.remote import ServerOption, TokenFileOption
from monitor.client import ServerClient, find_token
from monitor.errors import UsageError
from monitor.store import inventory

PIPE_WIDTH: Final = 200
"""Columns where the output is no terminal: nothing should be cut for a reader that is a program."""
MAX_LISTED: Final = 100_000
_MAX_SERVED: Final = 999

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
    undeclared: Annotated[
        bool, typer.Option("--undeclared", help="Shadow AI: those that agents.declared misses.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_LISTED, help="At most so many, the last seen first.")
    ] = 50,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List agents, the last seen first, as of the last checkpoint.

    `learning` counts an agent's runs (its hours, where it names no runs) until limits are its own;
    `calibrated` says since when they are. Of the other kinds of limit `--json` tells the same.
    `grants` are those that it holds now. `tripswitch agent ID` tells all about one.
    """
    if context.invoked_subcommand is not None:
        return
    if server is not None:
        asked = {"role": role, "state": state, "undeclared": undeclared or None}
        with ServerClient(server, find_token(token_file)) as client:
            found = client.agents(min(limit, _MAX_SERVED) + 1, **asked)
        why_none = "the server knows no such agents"
    else:
        chosen, store = open_store(config)
        with closing(store):
            if undeclared and not chosen.agents.declared:
                raise UsageError(
                    "--undeclared: no agent is declared; set agents.declared to the ids that there "
                    'should be, such as ["payroll-*"]'
                )
            found = [
                agent_document(entry)
                for entry in roster.newest(
                    chosen,
                    store,
                    role=role,
                    calibrated=None if state is None else state is State.CALIBRATED,
                    undeclared=undeclared,
                    limit=limit + 1,
                    now_s=time.time(),
                )
            ]
            with store.read_state() as saved:
                used = bool(found) or inventory.was_used(saved)
        why_none = "no agents were seen yet"
        if role or state or undeclared:
            why_none = "no agents of this kind"
        if not used:
            why_none = (
                f"no agents: no daemon has used this store yet ({clean(store.url, 500)}). "
                "`tripswitch run` starts one; --config names another store"
            )
    shown = found[:limit]
    if as_json:
        print_json_lines(shown)
    elif not shown:
        typer.echo(why_none)
    else:
        _print(shown)
        if len(found) > len(shown):
            typer.echo(f"and more: these are the last {limit} seen; --limit shows more")


def _print(listed: Sequence[Mapping[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("agent", "owner", "role", "version", "first seen", "last seen"):
        table.add_column(name, no_wrap=True)
    for name in ("events", "grants"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("learned")
    table.add_column("now")
    for agent in listed:
        row = (
            clean(str(agent["agent_id"]), 40),
            clean(agent["owner"] or "-", 16),
            clean(agent["role"] or "-", 16),
            clean(agent["agent_version"] or "-", 12),
            clean(agent["first_seen"])[:10],
            clean(agent["last_seen"])[:16].replace("T", " "),
            f"{agent['events']:,}",
            f"{agent['live_grants']:,}",
            learned(agent),
            ", ".join(now(agent)) or AgentState.ACTIVE,
        )
        table.add_row(*(Text(cell) for cell in row))
    console = Console()
    console.width = console.width if console.is_terminal else PIPE_WIDTH
    console.print(table)


def learned(agent: Mapping[str, Any]) -> str:
    """How well the agent is known, by its runs."""
    since = agent["calibrated_since"]
    if since is None:
        return f"learning, {agent['episodes']} of {agent['episodes_to_learn']} runs"
    return f"calibrated since {clean(since)[:10]}"


def now(agent: Mapping[str, Any]) -> list[str]:
    """What a person must know about it now; often nothing."""
    told: list[str] = []
    if agent["standing"] != AgentState.ACTIVE:
        told.append(clean(agent["standing"], 40))
    if agent["declared"] is False:
        told.append("shadow AI: nobody declared it")
    if alert := agent["alert"]:
        told.append(f"{clean(alert['severity'], 20)} alert {clean(alert['alert_id'], 80)}")
    sources = [seen["source"] for seen in agent["seen_in"]]
    if len(set(sources)) < len(sources):  # one in each topic is as it should be
        told.append(f"seen in {len(sources)} partitions")
    return told
