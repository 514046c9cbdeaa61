"""`tripswitch actions AGENT`: what an agent did, in order, run by run."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Annotated, Any, Final

import typer

from alerting.render import clean
from detectors.explain import amount
from monitor import orders, past
from monitor.cli.app import ConfigOption, JsonOption, app, open_store, print_json_lines
from monitor.cli.remote import ServerOption, TokenFileOption, told_by
from monitor.client import ServerClient, find_token
from monitor.duration import parse_duration

MAX_LISTED: Final = 100_000
_MAX_SERVED: Final = 1000
_WIDTH: Final = 60

Document = Mapping[str, Any]


@app.command(epilog="Example: tripswitch actions payroll-1 --since 2h --trace run-4711")
def actions(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's id.")],
    since: Annotated[str, typer.Option(help="Taken in by the log since so long: 2h, 7d.")] = "1d",
    trace: Annotated[
        str | None, typer.Option(help="In this run (trace_id) alone.", show_default=False)
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_LISTED, help="At most so many, of more the latest.")
    ] = 200,
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what an agent did, in order: when, with what, on what, and who delegated it.

    As of the last seconds, and for as long as `history.keep_days` says.
    """
    orders.check_agent(agent)
    lasts_s = parse_duration(since)
    if server is not None:
        with ServerClient(server, find_token(token_file)) as client:
            found = client.actions(agent, since, trace, min(limit, _MAX_SERVED))
    else:
        chosen, store = open_store(config)
        with closing(store):
            found = past.look(
                chosen, store, agent, since_s=time.time() - lasts_s, trace_id=trace, limit=limit
            )
    with told_by(server, "actions"):
        if as_json:
            print_json_lines(found["actions"])
        else:
            typer.echo("\n".join(_lines(found)))


def _lines(found: Document) -> Iterator[str]:
    if not found["actions"]:
        keep_days = found["keep_days"]
        why = (
            f"what agents do is kept for {keep_days:g} days (history.keep_days); "
            "--since looks further back"
            if keep_days
            else "what agents do is not kept: set history.keep_days, and restart or reload"
        )
        yield f"no actions since {_second(found['since'])}; {why}"
        return
    if found["more"]:
        yield "there are earlier ones: --limit shows more, --trace one run alone"
    run: tuple[Any, ...] | None = None
    for action in found["actions"]:
        if run != (run := (action["trace_id"], action["delegation"], action["user_id"])):
            yield _run(action)
        yield _line(action)


def _run(action: Document) -> str:
    name = f"run {_text(action['trace_id'])}" if action["trace_id"] else "outside of runs"
    user = f" for {_text(action['user_id'])}" if action["user_id"] else ""
    delegation = [_text(agent) for agent in action["delegation"]]
    return f"{name}{user}: {' > '.join(delegation)}"


def _line(action: Document) -> str:
    verb = f"{_text(action['action'], 20)} ({_text(action['effect'], 20)})"
    what = _text(action["tool"] or "-")
    if action["target"]:
        what += f" on {_text(action['target'], 200)}"
    told = [_text(action["status"], 20)]
    told += [_text(action["data_class"])] if action["data_class"] else []
    for key, word in (("bytes_out", "bytes out"), ("bytes_in", "bytes in"), ("records", "records")):
        told += [f"{amount(action[key])} {word}"] if action[key] else []
    if action["target_origin"]:
        source = f" ({_text(action['target_source'])})" if action["target_source"] else ""
        told.append(f"target from {_text(action['target_origin'])}{source}")
    return f"  {_second(action['time'])}  {verb}  {what}: {', '.join(told)}"


def _second(iso: object) -> str:
    return clean(str(iso))[:19].replace("T", " ")


def _text(value: object, limit: int = _WIDTH) -> str:
    return clean(str(value), limit)
