"""`--server` for orders that need a second person: asked, decided, listed, lifted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from alerting.render import clean
from monitor.cli.app import print_json, read_or_not
from monitor.cli.approval_view import print_decided
from monitor.cli.order_view import many_lines, print_asked, print_rehearsal
from monitor.cli.remote import exit_code_of, told_by, trip_lines
from monitor.client import ServerClient, find_token


def kill(
    url: str, token_file: Path | None, role: str | None, reason: str, dry_run: bool, as_json: bool
) -> int:
    """Ask to cut off a role, None: every agent; returns the exit code that the server tells."""
    with ServerClient(url, find_token(token_file)) as server:
        told = server.kill_many(role, reason, dry_run=dry_run)
    with told_by(url, "an order"):
        if dry_run:
            print_rehearsal(told, as_json)
        else:
            print_asked(told, _where(url), as_json)
    return exit_code_of(told)


def restore(
    url: str,
    token_file: Path | None,
    role: str | None,
    reason: str,
    probation_s: float | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """End such an order, likewise."""
    with ServerClient(url, find_token(token_file)) as server:
        told = server.restore_many(role, reason, probation_s=probation_s, dry_run=dry_run)
    with told_by(url, "an order"), read_or_not():
        if dry_run:
            print_rehearsal(told, as_json)
        elif as_json:
            print_json(told)
        else:
            typer.echo("\n".join([*many_lines(told), f"  {_where(url)}"]))
    return exit_code_of(told)


def decide(
    url: str, token_file: Path | None, approval: str, reason: str, *, approve: bool, as_json: bool
) -> int:
    """Approve or decline what waits, likewise."""
    with ServerClient(url, find_token(token_file)) as server:
        told = server.decide(approval, reason, approve=approve)
    with told_by(url, "a decision"):
        trip: Mapping[str, Any] | None = told.get("trip")
        print_decided(told, trip_lines(trip) if trip else [], _where(url), as_json)
    return exit_code_of(told)


def approvals(url: str, token_file: Path | None) -> list[dict[str, Any]]:
    """What waits for a person."""
    with told_by(url, "approvals"), ServerClient(url, find_token(token_file)) as server:
        return server.approvals()


def holds(url: str, token_file: Path | None, limit: int) -> list[dict[str, Any]]:
    """Orders about many."""
    with told_by(url, "holds"), ServerClient(url, find_token(token_file)) as server:
        return server.holds(limit)


def _where(url: str) -> str:
    return f"server: {clean(url, 500)}"
