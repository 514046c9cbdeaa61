"""`tripswitch outbox`: what is still to be told, what was given up and why, and reviving it."""

import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError

from alerting.message import Message
from alerting.render import clean
from monitor.cli.app import (
    ConfigOption,
    JsonOption,
    app,
    open_store,
    operator,
    print_json,
    print_json_lines,
)
from monitor.documents import iso
from monitor.errors import ExitCode, NotFoundError, UsageError
from monitor.ledger import deliveries
from monitor.ledger.deliveries import Listed

outbox_app = typer.Typer(rich_markup_mode=None)
app.add_typer(outbox_app, name="outbox")


@outbox_app.callback(invoke_without_command=True, epilog="Example: tripswitch outbox --dead")
def list_(
    context: typer.Context,
    dead: Annotated[bool, typer.Option("--dead", help="Only what was given up.")] = False,
    receiver: Annotated[
        str | None, typer.Option(help="Of this receiver.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the oldest first.")] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List messages that wait for a receiver or were given up, each with the reason."""
    if context.invoked_subcommand is not None:
        return
    _, store = open_store(config)
    with closing(store), store.read() as ledger:
        state = "dead" if dead else None
        found = deliveries.unsent(ledger, receiver=receiver, state=state, limit=limit + 1)
    shown = found[:limit]
    if as_json:
        print_json_lines(map(_document, shown))
        return
    for one in shown:
        typer.echo(_lines(one, time.time()))
    if len(found) > limit:
        typer.echo(f"and more: these are the oldest {limit}; --limit shows more")
    if not found:
        typer.echo("no messages wait" if not dead else "no message was given up")


@outbox_app.command(
    epilog="Example: tripswitch outbox retry --receiver slack --reason 'the app is in the channel'"
)
def retry(
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")],
    delivery: Annotated[
        str | None, typer.Argument(metavar="ID", help="One delivery.", show_default=False)
    ] = None,
    receiver: Annotated[
        str | None, typer.Option(help="All that this receiver refused.", show_default=False)
    ] = None,
    all_dead: Annotated[bool, typer.Option("--all-dead", help="All of every receiver.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try messages again that were given up, under the same keys. The daemon sends them.

    Exit code 5: there is nothing of that kind that was given up.
    """
    if not reason.strip():
        raise UsageError("--reason is empty: say why, for those who ask later")
    if sum((delivery is not None, receiver is not None, all_dead)) != 1:
        raise UsageError("name one of: an ID, --receiver NAME, --all-dead")
    _, store = open_store(config)
    with closing(store), store.ledger() as ledger:
        count = deliveries.revive(
            ledger,
            by=operator(),
            reason=reason,
            now_s=time.time(),
            delivery_id=delivery,
            receiver=receiver,
        )
    if not count:
        raise NotFoundError("nothing was given up there; `tripswitch outbox --dead` lists what was")
    if as_json:
        print_json({"revived": count, "exit_code": ExitCode.DONE})
        return
    many = "1 message is" if count == 1 else f"{count:,} messages are"
    typer.echo(f"{many} tried again; a running daemon sends within seconds")


def _headline(one: Listed) -> str:
    try:
        return Message.model_validate_json(one.doc).headline
    except ValidationError:
        return "(a message that another version wrote)"


def _document(one: Listed) -> dict[str, object]:
    """One delivery as JSON; the names are a contract."""
    return {
        "delivery_id": one.delivery_id,
        "receiver": one.receiver,
        "state": one.state,
        "kind": one.kind,
        "attempts": one.attempts,
        "created_at": iso(one.created_at),
        "due_at": iso(one.due_at) if one.state == "pending" else None,
        "given_up_at": iso(one.settled_at),
        "reason": one.last_error,
        "headline": _headline(one),
    }


def _lines(one: Listed, now_s: float) -> str:
    since = datetime.fromtimestamp(one.created_at, UTC).isoformat(" ", "seconds")
    how = f"tried {one.attempts} times, again in {max(0.0, one.due_at - now_s):.0f} s"
    if one.state == "dead":
        how = f"given up after {one.attempts} attempts"
    elif not one.attempts:
        how = "not tried yet"
    lines = [
        f"{one.state:<7} {one.delivery_id}  {clean(one.receiver, 40)}  since {since}  {how}",
        f"  {one.kind}: {clean(_headline(one), 300)}",
    ]
    if one.last_error:
        lines.append(f"  reason: {clean(one.last_error, 300)}")
    return "\n".join(lines)
