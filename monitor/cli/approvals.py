"""`tripswitch approvals`, `approve` and `decline`: what waits for a person, and deciding on it."""

import time
from contextlib import closing
from typing import Annotated

import typer

from alerting.render import clean
from monitor import decisions
from monitor.cli.app import (
    ConfigOption,
    JsonOption,
    app,
    open_store,
    operator,
    print_json,
    print_json_lines,
)
from monitor.cli.order_view import owner
from monitor.cli.trip_view import MAX_AGENT_CHARS, MAX_TEXT_CHARS, trip_lines
from monitor.documents import approval_document, trip_document
from monitor.errors import ExitCode
from monitor.ledger import approvals
from monitor.ledger.approvals import Approval

IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="As the message and `tripswitch approvals` tell it.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]


@app.command("approvals", epilog="Example: tripswitch approvals")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List what waits for a person: questions of rules, orders that need a second person."""
    _, store = open_store(config)
    with closing(store), store.read() as ledger:
        waiting = approvals.list_waiting(ledger)
    if as_json:
        print_json_lines(map(approval_document, waiting))
        return
    for one in waiting:
        typer.echo("\n".join(_lines(one, time.time())))
    if not waiting:
        typer.echo("nothing waits for a person")


@app.command(epilog="Example: tripswitch approve 4f0c2a9d11be --reason 'it mails strangers'")
def approve(
    approval: IdArgument,
    reason: ReasonOption,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Approve what waits, and carry it out. An order about many agents needs another person.

    Exit code 0: every enforcement point confirmed. 2: its time is over, it was decided already, or
    you asked for it yourself. 3: some points are being retried by the daemon. 4: a point was given
    up. 5: there is no such approval.
    """
    chosen, store = open_store(config)
    with closing(store):
        decided = decisions.approve(
            chosen, store, approval, reason=reason, by=operator(), owner=owner()
        )
    trip, many = decided.trip, decided.many
    exit_code = trip.exit_code if trip else many.exit_code if many else ExitCode.DONE
    if as_json:
        print_json(
            {
                **approval_document(decided.approval),
                "trip": trip_document(trip.trip) if trip else None,
                "hold": many.document() if many else None,
                "notes": list(trip.notes) if trip else [],
                "store": store.url,
                "exit_code": exit_code,
            }
        )
        return exit_code
    typer.echo(f"approved: {_about(decided.approval)}")
    if trip is not None:
        typer.echo("\n".join([*trip_lines(trip.trip), *(f"  note: {n}" for n in trip.notes)]))
    if many is not None:
        cut = f"{many.progress.contained:,} of {many.progress.agents:,} agents are cut off"
        typer.echo(f"  {cut}; `tripswitch holds` tells how far it is")
    typer.echo(f"  store: {clean(store.url, 500)}")
    return exit_code


@app.command(epilog="Example: tripswitch decline 4f0c2a9d11be --reason 'month end, as announced'")
def decline(
    approval: IdArgument,
    reason: ReasonOption,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decline what waits: nothing is cut off, and who was asked is told."""
    chosen, store = open_store(config)
    with closing(store):
        declined = decisions.decline(chosen, store, approval, reason=reason, by=operator()).approval
    if as_json:
        print_json({**approval_document(declined), "exit_code": ExitCode.DONE})
        return
    typer.echo(f"declined: {_about(declined)}; nothing is cut off")


def _about(one: Approval) -> str:
    verb = "cut off agent" if one.kind == "trip" else "cut off"
    return f"{verb} {clean(approvals.about(one), MAX_AGENT_CHARS)} (approval {one.approval_id})"


def _lines(one: Approval, now_s: float) -> list[str]:
    left_s = one.expires_at - now_s
    otherwise = "it is cut off" if one.on_expiry == "trip" else "nothing is done"
    until = f"{left_s / 60:.1f} minutes left" if left_s > 0 else "its time is over"
    return [
        f"approval {one.approval_id}  {_about(one)}",
        f"  asked by {clean(one.asked_by)}: {clean(one.reason, MAX_TEXT_CHARS)}",
        f"  {until}, then {otherwise}",
        f"  tripswitch approve {one.approval_id} --reason '…'   or   decline",
    ]
