"""`--server`: the same orders through a `tripswitch serve`, for those without the store."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from alerting.render import clean
from monitor.cli.app import print_json, print_json_lines, read_or_not
from monitor.cli.order_view import print_rehearsal
from monitor.cli.trip_view import MAX_AGENT_CHARS, MAX_TEXT_CHARS
from monitor.client import ServerClient, ServerError, find_token

ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        help="URL of a `tripswitch serve` that carries it out; needs a token.",
        envvar="TRIPSWITCH_SERVER",
        show_default=False,
    ),
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        help="File with the token for --server; else TRIPSWITCH_TOKEN.",
        show_default=False,
    ),
]


@contextmanager
def told_by(server: str | None, of_what: str) -> Iterator[None]:
    """What is printed inside was told by this server, if any: in another form, it is refused.

    Raises
    ------
    ServerError
        If what the server told lacks what is printed.
    """
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError):
        if server is None:
            raise
        raise ServerError(
            f"server {clean(server, 500)}: tells of {of_what} in another form; is it another "
            "version? Upgrade the older one"
        ) from None


def kill(
    url: str, token_file: Path | None, agent: str, reason: str, dry_run: bool, as_json: bool
) -> int:
    """Cut an agent off through the server; returns the exit code that it tells."""
    with ServerClient(url, find_token(token_file)) as server:
        return _report(server.kill(agent, reason, dry_run=dry_run), url, as_json)


def restore(
    url: str,
    token_file: Path | None,
    agent: str,
    reason: str,
    probation_s: float | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Give an agent back through the server, likewise."""
    with ServerClient(url, find_token(token_file)) as server:
        told = server.restore(agent, reason, probation_s=probation_s, dry_run=dry_run)
        return _report(told, url, as_json)


def trips(url: str, token_file: Path | None, agent: str | None, limit: int, as_json: bool) -> None:
    """List trips as the server tells them."""
    with told_by(url, "trips"), ServerClient(url, find_token(token_file)) as server:
        found = server.trips(agent, limit)
        if as_json:
            print_json_lines(found)
            return
        for trip in found:
            typer.echo("\n".join(trip_lines(trip)))
        if not found:
            typer.echo("no trips")


def exit_code_of(document: Mapping[str, Any]) -> int:
    """The exit code that a server told; 0 of what has none."""
    exit_code = document.get("exit_code", 0)
    return exit_code if isinstance(exit_code, int) else 0


def _report(document: Mapping[str, Any], url: str, as_json: bool) -> int:
    with told_by(url, "an order"), read_or_not():
        if as_json:
            print_json(document)
        elif document.get("dry_run"):
            print_rehearsal(document, as_json=False)
        else:
            notes = [f"  note: {clean(str(note), 500)}" for note in document.get("notes", ())]
            where = f"  server: {clean(url, 500)}"
            typer.echo("\n".join([*trip_lines(document), *notes, where]))
    return exit_code_of(document)


def trip_lines(trip: Mapping[str, Any]) -> list[str]:
    """A trip in lines for a terminal; what a server tells is not trusted either."""
    agent, state = clean(str(trip.get("agent_id")), MAX_AGENT_CHARS), trip.get("state")
    lines = [f"{agent}: {clean(str(state), 40)} (trip {clean(str(trip.get('trip_id')), 40)})"]
    for point in trip.get("points", ()):
        name, said = clean(str(point.get("point")), 40), clean(str(point.get("state")), 40)
        line = f"  {name:<10} {clean(str(point.get('direction')), 20)} {said}"
        error = point.get("error")
        lines.append(line + (f": {clean(str(error), MAX_TEXT_CHARS)}" if error else ""))
    return lines
