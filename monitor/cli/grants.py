"""`tripswitch grants`: what agents may do, for how long, and why."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from sqlalchemy import Connection

from alerting.grants import Grant
from alerting.render import clean
from monitor import grant_file
from monitor.cli.app import (
    ConfigOption,
    JsonOption,
    app,
    open_store,
    operator,
    print_json,
    print_json_lines,
)
from monitor.cli.order_view import AgentArgument, ReasonOption
from monitor.documents import decision_document, grant_document, iso
from monitor.duration import parse_duration
from monitor.errors import ExitCode, UsageError
from monitor.ledger import grant_import, grants
from monitor.orders import check_order

MAX_FILE_CHARS: Final = 50_000_000

grants_app = typer.Typer(rich_markup_mode=None)
app.add_typer(grants_app, name="grants")


@grants_app.callback(
    invoke_without_command=True, epilog="Example: tripswitch grants --agent payroll-7"
)
def list_(
    context: typer.Context,
    agent: Annotated[str | None, typer.Option(help="Of this agent.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 100,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List grants, the newest first."""
    if context.invoked_subcommand is not None:
        return
    with _ledger(config, writes=False) as ledger:
        found = grants.list_grants(ledger, agent, limit)
    now_s = time.time()
    if as_json:
        print_json_lines(grant_document(grant, now_s) for grant in found)
        return
    for grant in found:
        typer.echo(_line(grant, now_s))
    if not found:
        typer.echo("no grants")


@grants_app.command(
    epilog="Example: tripswitch grants add payroll-7 --scope 'mail.*' --reason 'month end' --for 1h"
)
def add(
    agent: AgentArgument,
    scope: Annotated[str, typer.Option(help="What it may do; a shell pattern such as mail.*")],
    reason: ReasonOption,
    lasts: Annotated[
        str | None, typer.Option("--for", help="How long: 15m, 1h, 2d.", show_default=False)
    ] = None,
    standing: Annotated[bool, typer.Option("--standing", help="Without an end.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Grant a scope to an agent, for a time. An agent that is cut off is refused (exit code 4)."""
    check_order(agent, reason)
    if not scope:
        raise UsageError("--scope is empty: say what it may do, such as mail.send")
    if (lasts is None) is not standing:
        raise UsageError("say how long it lasts with --for 1h, or --standing if it has no end")
    now_s = time.time()
    expires_at = None if lasts is None else now_s + parse_duration(lasts)
    with _ledger(config, writes=True) as ledger:
        grant_id = grants.add(
            ledger,
            agent_id=agent,
            scope=scope,
            reason=reason,
            granted_by=operator(),
            now_s=now_s,
            expires_at=expires_at,
        )
        grant = grants.get(ledger, grant_id)
    exit_code = ExitCode.DONE if grant.is_valid(now_s) else ExitCode.FAILED
    _print(grant, now_s, as_json)
    return exit_code


@grants_app.command(epilog="Example: tripswitch grants revoke 0b5e… --reason 'no longer needed'")
def revoke(
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="The grant's id.")],
    reason: ReasonOption,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke one grant for good."""
    now_s = time.time()
    with _ledger(config, writes=True) as ledger:
        revoked = grants.revoke(ledger, grant, operator(), now_s, reason=reason)
    _print(revoked, now_s, as_json)


@grants_app.command(epilog="Example: tripswitch grants check payroll-7 --scope mail.send")
def check(
    agent: AgentArgument,
    scope: Annotated[str, typer.Option(help="What it wants to do.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Ask as a gateway would: exit code 0 if the agent may, 4 if not."""
    with _ledger(config, writes=False) as ledger:
        now_s = time.time()
        decision = grants.decide(ledger, agent, scope, now_s)
    if as_json:
        print_json(decision_document(decision, now_s))
    else:
        word = "allowed" if decision.allowed else "refused"
        typer.echo(f"{word}: {clean(decision.reason, 200)}")
    return ExitCode.DONE if decision.allowed else ExitCode.FAILED


@grants_app.command(epilog="Example: tripswitch grants export --agent payroll-7 > grants.jsonl")
def export(
    agent: Annotated[str | None, typer.Option(help="Of this agent.", show_default=False)] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write every grant, ended ones, too, as JSON lines that `grants import` takes."""
    del as_json  # it is JSON in any case
    with _ledger(config, writes=False) as ledger:
        found = grants.list_grants(ledger, agent, limit=None)
    now_s = time.time()
    print_json_lines(grant_document(grant, now_s) for grant in found)


@grants_app.command("import", epilog="Example: tripswitch grants import grants.jsonl --dry-run")
def import_(
    file: Annotated[
        typer.FileText, typer.Argument(metavar="FILE", help="JSON lines or an array; - is stdin.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check it all, and write nothing.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add the grants of a file, all or none of them; an id that is known already is passed over.

    What was revoked is never revived, and an agent that is cut off is granted nothing.
    """
    now_s = time.time()
    found = grant_file.parse(_text(file), by=operator(), now_s=now_s)
    with _ledger(config, writes=True) as ledger:
        imported = grant_import.take_in(ledger, found, by=operator(), now_s=now_s)
        if dry_run:
            ledger.rollback()
    if as_json:
        print_json({**asdict(imported), "dry_run": dry_run})
        return
    would = "would be " if dry_run else ""
    typer.echo(
        f"{len(found):,} grants: {imported.added:,} {would}added, "
        f"{imported.known:,} known already, {imported.ended:,} {would}kept as ended, "
        f"{imported.refused:,} {would}refused, as their agents are cut off"
    )


def _text(file: typer.FileText) -> str:
    try:
        text: str = file.read(MAX_FILE_CHARS + 1)
    except UnicodeDecodeError as error:
        raise UsageError(f"{file.name}: {error}") from None
    if len(text) > MAX_FILE_CHARS:
        raise UsageError(f"{file.name}: has more than {MAX_FILE_CHARS:,} characters; split it")
    return text


@contextmanager
def _ledger(config: Path | None, *, writes: bool) -> Iterator[Connection]:
    _, store = open_store(config)
    with closing(store), store.ledger() if writes else store.read() as ledger:
        yield ledger


def _print(grant: Grant, now_s: float, as_json: bool) -> None:
    if as_json:
        print_json(grant_document(grant, now_s))
    else:
        typer.echo(_line(grant, now_s))


def _line(grant: Grant, now_s: float) -> str:
    if grant.revoked_at is not None:
        standing = f"revoked by {clean(grant.revoked_by or '?')}"
    elif not grant.is_valid(now_s):
        standing = f"expired {iso(grant.expires_at)}"
    else:
        standing = f"until {iso(grant.expires_at)}" if grant.expires_at else "standing"
    who, what = clean(grant.agent_id, 80), clean(grant.scope, 80)
    why = f"by {clean(grant.granted_by)}: {clean(grant.reason, 120)}"
    return f"{grant.grant_id}  {who}  {what}  {standing}  {why}"
