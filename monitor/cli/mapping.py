"""`tripswitch map`: how messages become events, tried on a sample."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from alerting.render import clean
from baselines.event import EventError
from monitor import config as settings
from monitor.cli.app import ConfigOption, JsonOption, app, print_json, print_json_lines
from monitor.errors import ExitCode, NotFoundError
from monitor.mapping import Parse, parser
from monitor.replay import read_lines

MAX_LISTED: Final = 40
map_app = typer.Typer(rich_markup_mode=None)
app.add_typer(map_app, name="map")


@map_app.callback(
    invoke_without_command=True, epilog="Example: tripswitch map --config tripswitch.toml"
)
def listed(
    context: typer.Context, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show where each field of an event comes from (`[source.map]`)."""
    if context.invoked_subcommand:
        return
    source = settings.load(config).source
    maps = {
        name: one.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        for name, one in source.map.items()
    }
    if as_json:
        print_json({"map": maps, "only": {path: list(of) for path, of in source.only.items()}})
        return
    for name, one in maps.items():
        typer.echo(f"{name:>16}  {clean(json.dumps(one, ensure_ascii=False), 300)}")
    for path, values in source.only.items():
        typer.echo(f"only where {clean(path)} is {clean(' or '.join(map(str, values)), 300)}")
    if not maps:
        typer.echo("nothing is mapped: messages are events as they are; set source.map")


@map_app.command("test", epilog="Example: tripswitch map test sample.json --config tripswitch.toml")
def try_out(
    sample: Annotated[
        Path, typer.Argument(help="Messages: one JSON object, or one a line; .gz as it is.")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Make events of a sample of messages, and say what would be refused and why.

    Exit code 4: some would be. What the map does not read of the first message is listed.
    """
    source = settings.load(config).source
    parse = parser(source)
    documents = [_tried(raw, parse) for raw in _messages(sample)]
    if not documents:
        raise NotFoundError(f"{sample}: no message in it; give one JSON object, or one a line")
    if as_json:
        print_json_lines(documents)
    else:
        for number, document in enumerate(documents[:MAX_LISTED], 1):
            typer.echo(f"message {number}: {document['verdict']}")
            if document["reason"]:
                typer.echo(f"  {clean(document['reason'], 600)}")
            for name, value in (document["event"] or {}).items():
                typer.echo(f"  {name:>16}  {clean(str(value), 200)}")
        verdicts = [document["verdict"] for document in documents]
        counts = {
            verdict: verdicts.count(verdict) for verdict in ("event", "passed over", "refused")
        }
        typer.echo(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
        read = {path for one in source.map.values() for path in one.path}
        if source.map and (left := sorted(set(_paths(next(_messages(sample)))) - read)):
            typer.echo(f"not read of the first: {clean(', '.join(left[:MAX_LISTED]), 1000)}")
    refused = any(document["verdict"] == "refused" for document in documents)
    return ExitCode.FAILED if refused else ExitCode.DONE


def _tried(raw: bytes, parse: Parse) -> dict[str, Any]:
    try:
        event = parse(raw)
    except EventError as error:
        return {"verdict": "refused", "reason": str(error), "event": None}
    if event is None:
        return {"verdict": "passed over", "reason": None, "event": None}
    made = event.model_dump(mode="json", exclude_none=True)
    return {"verdict": "event", "reason": None, "event": made}


def _messages(sample: Path) -> Iterator[bytes]:
    """One object over several lines, or one a line."""
    lines = [line for line in read_lines(sample) if line.strip()]
    whole = b"\n".join(lines)
    try:
        json.loads(whole)
    except (ValueError, RecursionError):
        yield from lines
    else:
        yield whole


def _paths(raw: bytes) -> Iterator[str]:
    """The paths of what stands in a message."""

    def walk(value: Any, at: str) -> Iterator[str]:
        if isinstance(value, dict):
            for key, inner in value.items():
                step = f'"{key}"' if "." in key else key
                yield from walk(inner, f"{at}.{step}" if at else step)
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                yield from walk(inner, f"{at}.{number}")
        else:
            yield at

    try:
        return walk(json.loads(raw), "")
    except (ValueError, RecursionError):
        return iter(())
