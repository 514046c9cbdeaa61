"""`tripswitch mute`, `mutes`, `unmute`: what nobody is to be told of for a while."""

import time
from contextlib import closing
from typing import Annotated, Any

import typer

from alerting.mute import Matcher
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
from monitor.documents import iso, mute_document
from monitor.duration import parse_duration
from monitor.ledger import mutes as ledger_mutes
from monitor.routing import routing

ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]


def _pattern(what: str) -> Any:
    return typer.Option(help=f"{what}, or a pattern such as 'payroll-*'.", show_default=False)


@app.command(epilog='Example: tripswitch mute --agent payroll-1 --reason "migration" --for 1h')
def mute(
    reason: ReasonOption,
    lasts: Annotated[str, typer.Option("--for", help="Such as 15m, 1h, 2d; it ends by itself.")],
    agent: Annotated[str | None, _pattern("Of this agent")] = None,
    role: Annotated[str | None, _pattern("Of agents of this role")] = None,
    detector: Annotated[str | None, _pattern("Of this detector")] = None,
    target: Annotated[str | None, _pattern("About this target")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell nobody of some findings for a while; each condition that is given must hold.

    What is muted is kept, counted, and listed when the mute ends. Breaches of a boundary and of a
    trip are told all the same, and rules cut agents off all the same.
    """
    lasts_s = parse_duration(lasts)
    matcher = Matcher(agent=agent, role=role, detector=detector, target=target)
    _, store = open_store(config)
    with closing(store), store.ledger() as ledger:
        begun = ledger_mutes.mute(
            ledger, matcher, reason=reason, by=operator(), now_s=time.time(), lasts_s=lasts_s
        )
    if as_json:
        print_json(mute_document(begun))
    else:
        typer.echo(f"mute {begun.mute_id}: {clean(matcher.words, 300)}, until {iso(begun.until)}")


@app.command(epilog="Example: tripswitch mutes --all")
def mutes(
    every: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List mutes, the newest first, with how many alerts each keeps back."""
    now_s = time.time()
    _, store = open_store(config)
    with closing(store), store.read() as ledger:
        found = ledger_mutes.newest(ledger, now_s=None if every else now_s, limit=limit)
    if as_json:
        print_json_lines(mute_document(one) for one in found)
        return
    for one in found:
        state = "on" if one.is_on(now_s) else "over"
        typer.echo(
            f"{one.mute_id}  {state} until {iso(one.until)}  {clean(one.matcher.words, 200)}; "
            f"{one.hidden:,} alerts; by {clean(one.muted_by, 100)}: {clean(one.reason, 200)}"
        )
    if not found:
        typer.echo("no mutes" if every else "nothing is muted; --all shows former mutes, too")


@app.command(epilog='Example: tripswitch unmute 9d21c4a07be3 --reason "migration is done"')
def unmute(
    mute_id: Annotated[str, typer.Argument(metavar="ID", help="From `tripswitch mutes`.")],
    reason: ReasonOption,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a mute before its time; alerts that are open and at least high come out."""
    chosen, store = open_store(config)
    with closing(store), store.ledger() as ledger:
        ended = ledger_mutes.unmute(
            ledger,
            mute_id,
            reason=reason,
            by=operator(),
            receivers=routing(chosen),
            now_s=time.time(),
        )
    if as_json:
        print_json(mute_document(ended))
    else:
        typer.echo(f"mute {ended.mute_id} is over; it kept {ended.hidden:,} alerts back")
