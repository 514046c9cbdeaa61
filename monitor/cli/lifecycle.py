"""`tripswitch ack`, `expected`, `resolve`: what a person says of an alert or an incident."""

import time
from contextlib import closing
from typing import Annotated, Any

import typer

from alerting.render import clean
from monitor import teaching
from monitor.cli.app import ConfigOption, JsonOption, app, open_store, operator, print_json
from monitor.duration import parse_duration
from monitor.errors import UsageError
from monitor.expecting import Expected
from monitor.expecting import expect as expect_it
from monitor.ledger import lifecycle
from monitor.ledger.lifecycle import Changed
from monitor.routing import routing
from monitor.teaching import Scope

IdArgument = Annotated[
    str,
    typer.Argument(metavar="ID", help="Of an alert or an incident; its beginning is enough."),
]
_MAX_LESSONS_SHOWN = 10
_SCOPES: dict[str, Scope] = {"terms": "terms", "level": "level"}


@app.command(epilog='Example: tripswitch ack 3f9c0a1b2c4d --reason "looking into it"')
def ack(
    wanted: IdArgument,
    reason: Annotated[str, typer.Option(help="What you do about it.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that you look after it: nobody is reminded any more, unless it gets worse."""
    chosen, store = open_store(config)
    with closing(store), store.ledger() as ledger:
        changed = lifecycle.acknowledge(
            ledger,
            wanted,
            by=operator(),
            reason=reason,
            receivers=routing(chosen),
            now_s=time.time(),
        )
    _print(changed, as_json)


@app.command(epilog='Example: tripswitch resolve 3f9c0a1b2c4d --reason "a planned migration"')
def resolve(
    wanted: IdArgument,
    reason: Annotated[str, typer.Option(help="Why it is over; goes into the audit.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that it is over; what is odd from now on is another alert."""
    chosen, store = open_store(config)
    with closing(store), store.ledger() as ledger:
        changed = lifecycle.resolve(
            ledger,
            wanted,
            by=operator(),
            reason=reason,
            receivers=routing(chosen),
            now_s=time.time(),
        )
    _print(changed, as_json)


@app.command(epilog='Example: tripswitch expected 3f9c0a1b2c4d --reason "new supplier" --for 30d')
def expected(
    wanted: IdArgument,
    reason: Annotated[str, typer.Option(help="Why it is as it should be; goes into the audit.")],
    lasts: Annotated[
        str | None,
        typer.Option(
            "--for",
            help="Such as 12h or 30d: except it until then, and learn nothing.",
            show_default=False,
        ),
    ] = None,
    scope: Annotated[
        str | None,
        typer.Option(
            help="Only terms (what is used) or only the level (how much, when); both if not given.",
            show_default=False,
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that it was as it should be: the agent's profile learns that, or makes an exception.

    A breach of a declared boundary is not learned: give a permit, or change the settings.
    """
    if scope is not None and scope not in _SCOPES:
        raise UsageError(f"--scope is terms or level, not {scope!r:.60}")
    lasts_s = parse_duration(lasts) if lasts is not None else None
    chosen, store = open_store(config)
    with closing(store):
        done = expect_it(
            store,
            wanted,
            by=operator(),
            reason=reason,
            receivers=routing(chosen),
            now_s=time.time(),
            scope=_SCOPES[scope] if scope is not None else None,
            lasts_s=lasts_s,
        )
    _print(done.changed, as_json, done)


def _print(changed: Changed, as_json: bool, done: Expected | None = None) -> None:
    alert, incident = changed.named[0], changed.incident
    if as_json:
        document: dict[str, Any] = alert.model_dump(mode="json")
        document["changed"] = [one.alert_id for one in changed.changed]
        document["incident"] = incident.model_dump(mode="json") if incident is not None else None
        if done is not None:
            document["taught"] = {
                agent: teaching.document(lessons) for agent, lessons in done.lessons.items()
            }
            document["mutes"] = list(done.mute_ids)
        print_json(document)
        return
    by = alert.acknowledged_by if alert.state == "acknowledged" else alert.resolved_by
    who = f" by {clean(by, 100)}" if by is not None else ""
    typer.echo(f"alert {alert.alert_id} is {alert.state}{who}")
    if len(changed.named) > 1:
        count = f"{len(changed.changed):,} of {len(changed.named):,}"
        typer.echo(f"{count} alerts of incident {alert.incident_id} were changed")
    for line in _lessons(done) if done is not None else []:
        typer.echo(line)


def _lessons(done: Expected) -> list[str]:
    told = []
    if done.mute_ids:
        told.append(f"excepted until then by mute {', '.join(done.mute_ids)}; nothing is learned")
    elif done.lessons:
        told.append("usual from the next checkpoint on:")
        words = [
            f"  {clean(agent, 60)}: {clean(word, 160)}"
            for agent, lessons in done.lessons.items()
            for word in lessons.words()
        ]
        told += words[:_MAX_LESSONS_SHOWN]
        if len(words) > _MAX_LESSONS_SHOWN:
            told.append(f"  and {len(words) - _MAX_LESSONS_SHOWN:,} more")
    else:
        told.append("nothing in it is learned")
    if done.breaches:
        told.append("what crossed a declared boundary is told again: give a permit, or change it")
    return told
