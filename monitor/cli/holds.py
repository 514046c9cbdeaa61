"""`tripswitch holds`: orders about a role or about every agent, and how far they are."""

from contextlib import closing
from typing import Annotated

import typer

from monitor.cli.app import ConfigOption, JsonOption, app, open_store, print_json_lines
from monitor.cli.order_view import hold_lines
from monitor.ledger import hold
from monitor.orders_many import hold_document


@app.command("holds", epilog="Example: tripswitch holds")
def list_(
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List holds: those that are on first, then those that were lifted, the newest first.

    `tripswitch kill --role` and `--all` put one on, with a second person; `restore` lifts it.
    """
    _, store = open_store(config)
    with closing(store), store.read() as ledger:
        found = [
            (one, hold.progress(ledger, one.hold_id)) for one in hold.list_holds(ledger, limit)
        ]
    if as_json:
        print_json_lines(hold_document(one, progress) for one, progress in found)
        return
    for one, progress in found:
        typer.echo("\n".join(hold_lines(one, progress)))
    if not found:
        typer.echo("no holds")
