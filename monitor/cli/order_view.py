"""What `kill`, `restore` and `holds` share: their options, and how they report."""

import logging
import os
import socket
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from alerting.killswitch import OPEN
from alerting.render import clean
from monitor.attempts import Attempts
from monitor.break_glass import Broken
from monitor.cli.app import print_json, print_json_lines, read_or_not
from monitor.cli.trip_view import MAX_AGENT_CHARS, MAX_TEXT_CHARS, point_line
from monitor.errors import ExitCode, UsageError
from monitor.kill_lane import Driver
from monitor.orders import Carried
from monitor.orders_many import Many
from monitor.store import Store

AgentArgument = Annotated[str, typer.Argument(metavar="AGENT", help="The agent's id.")]
OneOrMany = Annotated[
    str | None, typer.Argument(metavar="[AGENT]", help="The agent's id.", show_default=False)
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]
RoleOption = Annotated[
    str | None, typer.Option("--role", help="All agents of this role.", show_default=False)
]
AllOption = Annotated[bool, typer.Option("--all", help="Every agent.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")
]


def exactly_one(agent: str | None, role: str | None, everyone: bool) -> None:
    """Refuse an order about nobody, and one about several things at once."""
    if [agent is not None, role is not None, everyone].count(True) != 1:
        raise UsageError("name one of AGENT, --role ROLE and --all")


def owner() -> str:
    """Names this command in its leases; why a point failed is told beside the point alone."""
    for name in ("kafka", Driver.__module__, Attempts.__module__):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return f"cli:{socket.gethostname()}:{os.getpid()}"


@read_or_not()
def report(store: Store, carried: Carried, as_json: bool) -> None:
    """Tell what became of an order about one agent."""
    if as_json:
        print_json(carried.document(store))
        return
    trip = carried.trip
    typer.echo(f"{clean(trip.agent_id, MAX_AGENT_CHARS)}: {trip.state} (trip {trip.trip_id})")
    for point in trip.points:
        typer.echo(point_line(point))
    if any(point.state in OPEN for point in trip.points):
        typer.echo("  the daemon goes on trying what has not confirmed; see `tripswitch trips`")
    for note in carried.notes:
        typer.echo(f"  note: {clean(note, 500)}")
    typer.echo(f"  store: {clean(store.url, 500)}")


@read_or_not()
def report_many(store: Store, many: Many, as_json: bool) -> None:
    """Tell what became of an order about many agents."""
    if as_json:
        print_json({**many.document(), "store": store.url})
        return
    typer.echo("\n".join([*many_lines(many.document()), f"  store: {clean(store.url, 500)}"]))


def cleaned(document: Mapping[str, Any]) -> Mapping[str, str]:
    """What is not null in a document, for a terminal; a server may tell anything, or nothing."""
    told = {name: clean(str(value), MAX_TEXT_CHARS) for name, value in document.items()
            if value is not None}  # fmt: skip
    return defaultdict(lambda: "?", told)


def many_lines(document: Mapping[str, Any]) -> list[str]:
    """What became of an order about many agents, in lines for a terminal."""
    lines = hold_lines(document)
    if document.get("exit_code") == ExitCode.PARTLY:
        lines.append("  the daemon goes on with the rest; see `tripswitch holds`")
    return lines


def hold_lines(document: Mapping[str, Any]) -> list[str]:
    """A hold in lines for a terminal, from its document: a server's is not trusted either."""
    told = cleaned(document)
    whom = f"role {told['role']}" if "role" in told else "every agent"
    state = f"lifted {told['lifted_at']}" if "lifted_at" in told else "on"
    confirmed = f", confirmed by {told['confirmed_by']}" if "confirmed_by" in told else ""
    lines = [
        f"hold {told['hold_id']}  {whom}  {state}",
        f"  since {told['ordered_at']} by {told['ordered_by']}{confirmed}: {told['reason']}",
    ]
    if "lifted_by" in told:
        lines.append(f"  lifted by {told['lifted_by']}: {told['lifted_reason']}")
    counts = (
        f"{told['agents']} agents: {told['contained']} contained, "
        f"{told['waiting']} to be ordered, {told['released']} given back"
    )
    return [*lines, f"  {counts}"]


def print_holds(documents: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """List holds."""
    if as_json:
        print_json_lines(documents)
        return
    for document in documents:
        typer.echo("\n".join(hold_lines(document)))
    if not documents:
        typer.echo("no holds")


@read_or_not()
def print_asked(document: Mapping[str, Any], where: str, as_json: bool) -> None:
    """Tell that an order about many waits for a second person; `where` it was asked."""
    if as_json:
        print_json(document)
        return
    told = cleaned(document)
    whom = f"role {told['subject']}" if told["kind"] == "kill_role" else "every role"
    approval = told["approval_id"]
    typer.echo(
        f"asked: cut off all agents of {whom}, {told['agents']} by now (approval {approval})\n"
        f"  nothing is cut off yet: until {told['expires_at']} another person has to confirm it, "
        f"as a user of their own:\n"
        f"  tripswitch approve {approval} --reason '…'\n"
        f"  {where}"
    )


@read_or_not()
def print_break_glass(broken: Broken, as_json: bool) -> None:
    """Tell what was done without the store, and what is to be done about it."""
    if as_json:
        print_json(broken.document())
        return
    path = clean(broken.journal, 500)
    agent = clean(broken.agent_id, MAX_AGENT_CHARS)
    lines = [
        f"{agent}: BREAK GLASS, the registry was NOT reached",
        "  gateways that ask the registry still allow what the agent was granted",
        f"  {clean(broken.why, 500)}",
    ]
    for told in broken.points[1:]:
        state = "revoke confirmed" if told.error is None else "revoke FAILED: "
        lines.append(f"  {clean(told.point, 40):<10} {state}{clean(told.error or '', 300)}")
    if len(broken.points) == 1:
        lines.append("  no other enforcement point is configured: NOTHING was cut off")
    if broken.journal_error is None:
        lines.append(f"  journal: {path}; once the store is back: tripswitch audit import {path}")
    else:
        lines.append(f"  NOT in the journal {path}: {clean(broken.journal_error, 300)}")
    lines.append("  nothing tries this again by itself: type it again until it is confirmed")
    typer.echo("\n".join(lines))


@read_or_not()
def print_rehearsal(document: Mapping[str, Any], as_json: bool) -> None:
    """Tell what an order would do; a server may tell anything, so all of it is cleaned."""
    if as_json:
        print_json(document)
        return
    lines = ["dry run: nothing was changed"]
    if "members" in document:
        members, action = document["members"], _text(document["action"])
        whom = "every agent" if document["role"] is None else f"role {_text(document['role'])}"
        lines.append(f"{action} {whom}: {len(members):,} agents")
        lines += [f"  {_member_line(member)}" for member in members]
    else:
        lines += _one_lines(document)
    lines.append(f"  people would be told by: {_listed(document['receivers']) or 'nobody'}")
    typer.echo("\n".join(lines))


def _member_line(member: Mapping[str, Any]) -> str:
    line = f"{_agent(member)}: {_text(member['state'])}"
    if member.get("points"):
        grants = _text(member["grants"])
        line += f", {grants} grants, to be told: {_listed(member['points'])}"
    return line


def _one_lines(document: Mapping[str, Any]) -> list[str]:
    action, scopes = document["action"], document["grants"]
    lines = [f"{_text(action)} {_agent(document)}: now {_text(document['state'])}"]
    if not document["new"]:
        return [*lines, "  no new order would follow from it"]
    verb = "revoked" if action == "kill" else "given back"
    named = _listed([grant["scope"] for grant in scopes[:20]]) or "none"
    lines.append(f"  grants that would be {verb}, {len(scopes)}: {named}")
    for point in document["points"]:
        order = point["order"]
        said = f"{_text(order['state'])}, order {_text(order['order_seq'])}"
        lines.append(f"  {_text(point['point']):<10} would be told: {said}")
    return lines


def _agent(document: Mapping[str, Any]) -> str:
    return clean(str(document["agent_id"]), MAX_AGENT_CHARS)


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(map(_text, values))


def _text(value: Any) -> str:
    return clean(str(value))
