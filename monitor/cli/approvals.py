"""`tripswitch approvals`, `approve` and `decline`: what waits for a person, and deciding on it."""

from contextlib import closing
from typing import Annotated

import typer

from alerting.render import clean
from monitor import decisions
from monitor.cli import remote_many
from monitor.cli.app import ConfigOption, JsonOption, app, open_store, operator
from monitor.cli.approval_view import print_decided, print_waiting
from monitor.cli.order_view import owner
from monitor.cli.remote import ServerOption, TokenFileOption
from monitor.cli.trip_view import trip_lines
from monitor.documents import approval_document
from monitor.ledger import approvals
from monitor.store import Store

IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="As the message and `tripswitch approvals` tell it.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]


@app.command("approvals", epilog="Example: tripswitch approvals")
def list_(
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what waits for a person: questions of rules, orders that need a second person."""
    if server is not None:
        print_waiting(remote_many.approvals(server, token_file), as_json)
        return
    _, store = open_store(config)
    with closing(store), store.read() as ledger:
        waiting = approvals.list_waiting(ledger)
    print_waiting(list(map(approval_document, waiting)), as_json)


@app.command(epilog="Example: tripswitch approve 4f0c2a9d11be --reason 'it mails strangers'")
def approve(
    approval: IdArgument,
    reason: ReasonOption,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Approve what waits, and carry it out. An order about many agents needs another person.

    Exit code 0: every enforcement point confirmed. 2: its time is over, it was decided already, or
    you asked for it yourself. 3: some points are being retried by the daemon. 4: a point was given
    up. 5: there is no such approval.
    """
    if server is not None:
        return remote_many.decide(
            server, token_file, approval, reason, approve=True, as_json=as_json
        )
    chosen, store = open_store(config)
    with closing(store):
        decided = decisions.approve(
            chosen, store, approval, reason=reason, by=operator(), owner=owner()
        )
    return _report(decided, store, as_json)


@app.command(epilog="Example: tripswitch decline 4f0c2a9d11be --reason 'month end, as announced'")
def decline(
    approval: IdArgument,
    reason: ReasonOption,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Decline what waits: nothing is cut off, and who was asked is told."""
    if server is not None:
        return remote_many.decide(
            server, token_file, approval, reason, approve=False, as_json=as_json
        )
    chosen, store = open_store(config)
    with closing(store):
        declined = decisions.decline(chosen, store, approval, reason=reason, by=operator())
    return _report(declined, store, as_json)


def _report(decided: decisions.Decided, store: Store, as_json: bool) -> int:
    lines = trip_lines(decided.trip.trip) if decided.trip else []
    where = f"store: {clean(store.url, 500)}"
    print_decided(decided.document(store), lines, where, as_json)
    return decided.exit_code
