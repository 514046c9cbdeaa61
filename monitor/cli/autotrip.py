"""`tripswitch autotrip`: pause all automatic trips, let them go on, see whether they are on."""

import time
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from alerting.render import clean
from monitor.cli.app import ConfigOption, JsonOption, app, open_store, operator, print_json
from monitor.cli.trip_view import MAX_TEXT_CHARS
from monitor.config import Config
from monitor.documents import iso
from monitor.duration import parse_duration
from monitor.ledger import pauses, trip_guards, trips
from monitor.ledger.pauses import Pause
from monitor.routing import routing

autotrip_app = typer.Typer(rich_markup_mode=None)
app.add_typer(autotrip_app, name="autotrip")

ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]


@autotrip_app.callback(
    invoke_without_command=True, epilog="Example: tripswitch autotrip pause --reason drill --for 2h"
)
def show(context: typer.Context, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Tell whether rules may cut agents off by themselves now; pause that, or let it go on."""
    if context.invoked_subcommand is None:
        _status(config, as_json)


@autotrip_app.command(epilog="Example: tripswitch autotrip pause --reason 'release' --for 2h")
def pause(
    reason: ReasonOption,
    lasts: Annotated[str, typer.Option("--for", help="Such as 90s, 15m, 2h; it ends by itself.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold all automatic trips, in every process at once. People's orders go on as ever.

    A pause that is on is replaced by this one.
    """
    lasts_s = parse_duration(lasts)
    chosen, store = open_store(config)
    with closing(store), store.ledger() as ledger:
        begun = pauses.pause(
            ledger,
            reason=reason,
            by=operator(),
            now_s=time.time(),
            lasts_s=lasts_s,
            receivers=routing(chosen),
        )
    _print(_document(begun), [f"paused: {_words(begun)}"], as_json)


@autotrip_app.command(epilog="Example: tripswitch autotrip resume --reason 'release is out'")
def resume(reason: ReasonOption, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Let rules cut agents off again. Exit code 5: there is no pause."""
    chosen, store = open_store(config)
    with closing(store), store.ledger() as ledger:
        ended = pauses.resume(
            ledger,
            reason=reason,
            by=operator(),
            now_s=time.time(),
            receivers=routing(chosen),
        )
    said = f"resumed: rules cut agents off again; {ended.held} trips were held back meanwhile"
    _print(_document(ended), [said], as_json)


@autotrip_app.command(epilog="Example: tripswitch autotrip status --json")
def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Tell whether automatic trips are paused, how many there were lately, and the rules."""
    _status(config, as_json)


def _status(config: Path | None, as_json: bool) -> None:
    chosen, store = open_store(config)
    now_s = time.time()
    with closing(store), store.read() as ledger:
        on = pauses.current(ledger, now_s)
        lately = trips.automatic_since(ledger, now_s - trip_guards.HOUR_S)
    cap = chosen.trip.max_automatic_per_hour
    document = {
        "paused": on is not None,
        "pause": None if on is None else _document(on),
        "automatic_last_hour": lately,
        "max_automatic_per_hour": cap,
        "rules": {rule.name: rule.mode for rule in chosen.trip.rules},
    }
    lines = [
        f"paused: {_words(on)}" if on is not None else "not paused",
        f"automatic trips in the last hour: {lately} of at most {cap}",
        *_rules(chosen),
    ]
    _print(document, lines, as_json)


def _rules(config: Config) -> list[str]:
    return [
        f"rule {clean(rule.name)}: {rule.mode}"
        + (f", for {rule.share:.0%} of the agents" if rule.share < 1 else "")
        for rule in config.trip.rules
    ]


def _words(one: Pause) -> str:
    why = clean(one.reason, MAX_TEXT_CHARS)
    return f"until {iso(one.until)} by {clean(one.paused_by)}: {why}; {one.held} held back so far"


def _document(one: Pause) -> dict[str, Any]:
    return {
        "pause_id": one.pause_id,
        "reason": one.reason,
        "paused_by": one.paused_by,
        "since": iso(one.since),
        "until": iso(one.until),
        "ended_at": iso(one.ended_at),
        "ended_by": one.ended_by,
        "held": one.held,
    }


def _print(document: dict[str, Any], lines: list[str], as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        typer.echo("\n".join(lines))
