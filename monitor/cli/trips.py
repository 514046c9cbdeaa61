"""`tripswitch trips`: what was cut off, how far that is, and giving up on a point."""

import time
from contextlib import closing
from typing import Annotated

import typer

from monitor.cli import remote
from monitor.cli.app import (
    ConfigOption,
    JsonOption,
    app,
    open_store,
    operator,
    print_json,
    print_json_lines,
)
from monitor.cli.remote import ServerOption, TokenFileOption
from monitor.cli.trip_view import trip_lines
from monitor.documents import trip_document
from monitor.errors import ExitCode, UsageError
from monitor.ledger import trips
from monitor.routing import routing

trips_app = typer.Typer(rich_markup_mode=None)
app.add_typer(trips_app, name="trips")


@trips_app.callback(
    invoke_without_command=True, epilog="Example: tripswitch trips --agent payroll-7"
)
def list_(
    context: typer.Context,
    agent: Annotated[str | None, typer.Option(help="Of this agent.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 20,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List trips with their enforcement points and times, the newest first."""
    if context.invoked_subcommand is not None:
        return
    if server is not None:
        remote.trips(server, token_file, agent, limit, as_json)
        return
    _, store = open_store(config)
    with closing(store), store.read() as ledger:
        found = trips.list_trips(ledger, agent, limit)
    if as_json:
        print_json_lines(map(trip_document, found))
        return
    for trip in found:
        typer.echo("\n".join(trip_lines(trip)))
    if not found:
        typer.echo("no trips")


@trips_app.command(
    "give-up", epilog="Example: tripswitch trips give-up 4f0c2a9d11be kafka --reason 'cluster gone'"
)
def give_up(
    trip: Annotated[str, typer.Argument(metavar="TRIP", help="The trip's id.")],
    point: Annotated[str, typer.Argument(metavar="POINT", help="Such as kafka.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop trying an enforcement point that does not confirm. The agent is then cut off partly."""
    if not reason.strip():
        raise UsageError("--reason is empty: say why, for those who ask later")
    chosen, store = open_store(config)
    with closing(store), store.ledger() as ledger:
        after = trips.give_up(
            ledger,
            trip,
            point,
            reason=reason,
            by=operator(),
            receivers=routing(chosen),
            now_s=time.time(),
        )
    if as_json:
        print_json({**trip_document(after), "exit_code": ExitCode.DONE})
        return
    typer.echo("\n".join(trip_lines(after)))
