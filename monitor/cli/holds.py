"""`tripswitch holds`: orders about a role or about every agent, and how far they are."""

from contextlib import closing
from typing import Annotated

import typer

from monitor.cli import remote_many
from monitor.cli.app import ConfigOption, JsonOption, app, open_store
from monitor.cli.order_view import print_holds
from monitor.cli.remote import ServerOption, TokenFileOption
from monitor.ledger import hold
from monitor.orders_many import hold_document


@app.command("holds", epilog="Example: tripswitch holds")
def list_(
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List holds: those that are on first, then those that were lifted, the newest first.

    `tripswitch kill --role` and `--all` put one on, with a second person; `restore` lifts it.
    """
    if server is not None:
        print_holds(remote_many.holds(server, token_file, limit), as_json)
        return
    _, store = open_store(config)
    with closing(store), store.read() as ledger:
        found = [
            hold_document(one, hold.progress(ledger, one.hold_id))
            for one in hold.list_holds(ledger, limit)
        ]
    print_holds(found, as_json)
