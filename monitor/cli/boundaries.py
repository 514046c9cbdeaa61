"""`tripswitch boundaries`: what is declared, what would have alarmed, and drafts to begin with."""

from contextlib import closing
from pathlib import Path
from typing import Annotated, Final

import typer

from alerting.render import clean
from baselines.event import ActionEvent
from detectors.pattern import literal
from monitor import config as settings
from monitor import policies
from monitor.cli.app import ConfigOption, JsonOption, app, open_store, print_json_lines
from monitor.config_boundaries import zone
from monitor.errors import NotFoundError, UsageError
from monitor.ledger import shadows
from monitor.mapping import parser
from monitor.replay import read_lines
from monitor.store import shards
from monitor.suggest import toml
from monitor.suggest.draft import Draft
from monitor.suggest.gather import from_log, from_profiles
from monitor.suggest.usage import Usage

MAX_DRAFTS: Final = 50
"""Of more agents nobody would read the drafts one by one."""

boundaries_app = typer.Typer(rich_markup_mode=None)
app.add_typer(boundaries_app, name="boundaries")

AgentOption = Annotated[str | None, typer.Option(help="Of this agent.", show_default=False)]


@boundaries_app.callback(
    invoke_without_command=True, epilog="Example: tripswitch boundaries --config tripswitch.toml"
)
def list_(context: typer.Context, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the declared boundaries that are in force."""
    if context.invoked_subcommand is not None:
        return
    declared = [each.model_dump(mode="json") for each in settings.load(config).boundaries]
    if as_json:
        print_json_lines(declared)
        return
    for number, boundary in enumerate(declared):
        said = {key: value for key, value in boundary.items() if value not in (None, [])}
        typer.echo(f"boundaries.{number}")
        for key, value in said.items():
            typer.echo(f"  {key:>12}  {clean(str(value), 500)}")
    if not declared:
        typer.echo("no boundaries are declared; `tripswitch boundaries suggest` drafts some")


@boundaries_app.command(epilog="Example: tripswitch boundaries shadow --agent payroll-1")
def shadow(
    agent: AgentOption = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what boundaries in mode `shadow` would have alarmed on."""
    _, store = open_store(config)
    with closing(store), store.read() as ledger:
        found = shadows.newest(ledger, agent_id=agent, limit=limit)
    if as_json:
        print_json_lines(anomaly.model_dump(mode="json") for anomaly in found)
        return
    for anomaly in found:
        typer.echo(
            f"{anomaly.time:%Y-%m-%d %H:%M:%S}  {anomaly.severity.label}  "
            f"{clean(anomaly.agent_id, 60)}  {clean(anomaly.text, 400)}"
        )
    if not found:
        typer.echo("nothing would have alarmed")


@boundaries_app.command(
    epilog="Example: tripswitch boundaries suggest events.jsonl.gz --role payroll > draft.toml"
)
def suggest(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Event log, as `replay` reads it; without one, what the daemon's profiles hold.",
            show_default=False,
        ),
    ] = None,
    agent: AgentOption = None,
    role: Annotated[
        str | None, typer.Option(help="One draft for this role.", show_default=False)
    ] = None,
    timezone: Annotated[str, typer.Option(help="Whose clock hours mean.")] = "UTC",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draft boundaries in TOML from what agents have done, for a person to review.

    What was seen in one run only, waits in quarantine or was refused is left out, and listed.
    Without --agent or --role there is a draft for each agent. A draft is in mode `shadow`.
    """
    if agent is not None and role is not None:
        raise UsageError("give --agent or --role, not both")
    try:
        zone(timezone)
    except ValueError as error:
        raise UsageError(f"--timezone: {error}") from None
    source = "the daemon's profiles" if file is None else file.name
    found = _usages(file, agent, role, timezone, config)
    if not found:
        raise NotFoundError(
            f"{source}: no event of {agent or role or 'any agent'!r:.80}; "
            "`tripswitch agents` lists agents and roles"
        )
    if len(found) > MAX_DRAFTS:
        raise UsageError(f"{len(found)} agents: name one with --agent, or a role with --role")
    drafts = [_draft(usage, name, role, timezone) for name, usage in sorted(found.items())]
    if as_json:
        print_json_lines(draft.document() for draft in drafts)
    else:
        typer.echo("\n".join(toml.render(draft, source) for draft in drafts), nl=False)


def _usages(
    file: Path | None, agent: str | None, role: str | None, timezone: str, config: Path | None
) -> dict[str, Usage]:
    """What was done, by agent; all under one name if a role is asked for."""
    if file is not None:
        given, roles = settings.load(config), dict[str, str]()

        def group(event: ActionEvent) -> str | None:
            if event.role:
                roles[event.agent_id] = event.role
            if role is not None:
                return role if roles.get(event.agent_id) == role else None
            return event.agent_id if agent in (None, event.agent_id) else None

        return from_log(
            read_lines(file), policies.detection(given), timezone, group, parser(given.source)
        )
    chosen, store = open_store(config)
    policy = policies.detection(chosen)
    with closing(store), store.read_state() as state:
        profiles = shards.read_profiles(state, policy.rules, agent_id=agent, role=role)
        return from_profiles(profiles, policy.effects, lambda p: role or p.agent_id)


def _draft(usage: Usage, name: str, role: str | None, timezone: str) -> Draft:
    who = (literal(name),)
    if role is not None:
        return Draft.of(usage, timezone, roles=who)
    return Draft.of(usage, timezone, agents=who)
