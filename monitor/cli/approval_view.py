"""What waits for a person, and what was decided, as people read it."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import typer

from alerting.render import clean
from monitor.cli.app import print_json, print_json_lines, read_or_not
from monitor.cli.order_view import cleaned, many_lines


def print_waiting(documents: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """List what waits."""
    if as_json:
        print_json_lines(documents)
        return
    for document in documents:
        typer.echo("\n".join(_lines(document)))
    if not documents:
        typer.echo("nothing waits for a person")


@read_or_not()
def print_decided(
    document: Mapping[str, Any], trip_lines: Sequence[str], where: str, as_json: bool
) -> None:
    """Tell what was decided and what came of it.

    Parameters
    ----------
    trip_lines
        The trip that was ordered, for a terminal; empty without any.
    where
        The store, or the server.
    """
    if as_json:
        print_json(document)
        return
    declined = "; nothing is cut off" if document.get("state") == "declined" else ""
    lines = [f"{cleaned(document)['state']}: {_about(document)}{declined}", *trip_lines]
    lines += [f"  note: {clean(str(note), 500)}" for note in document.get("notes", ())]
    if document.get("hold"):
        lines += many_lines(document["hold"])
    typer.echo("\n".join([*lines, f"  {where}"]))


def _about(document: Mapping[str, Any]) -> str:
    told = cleaned(document)
    whom = {
        "trip": f"agent {told['subject']}",
        "kill_role": f"role {told['subject']}",
        "kill_all": "all agents",
    }
    return f"cut off {whom.get(told['kind'], told['subject'])} (approval {told['approval_id']})"


def _lines(document: Mapping[str, Any]) -> list[str]:
    told = cleaned(document)
    otherwise = "it is cut off" if told["on_expiry"] == "trip" else "nothing is done"
    left_s = _left_s(told["expires_at"])
    until = f"{left_s / 60:.1f} minutes left" if left_s > 0 else "its time is over"
    return [
        f"approval {told['approval_id']}  {_about(document)}",
        f"  asked by {told['asked_by']}: {told['reason']}",
        f"  {until}, then {otherwise}",
        f"  tripswitch approve {told['approval_id']} --reason '…'   or   decline",
    ]


def _left_s(expires_at: str) -> float:
    try:
        return datetime.fromisoformat(expires_at).timestamp() - time.time()
    except ValueError:  # whatever a server told
        return 0.0
