"""`tripswitch agent ID`: all that is known of one agent, in words and small plots."""

import time
from collections.abc import Mapping
from contextlib import closing
from typing import Annotated, Any, Final

import typer

from alerting.killswitch import AgentState
from alerting.render import clean
from alerting.sparkline import BARS, sparkline
from detectors.explain import amount, span
from monitor import dossier, orders
from monitor.cli.agents import learned, now
from monitor.cli.app import ConfigOption, JsonOption, app, open_store, print_json
from monitor.cli.remote import ServerOption, TokenFileOption, told_by
from monitor.client import ServerClient, find_token

_WIDTH: Final = 60
_TARGETS: Final = 3
"""So many targets of a tool are shown; `--json` has more."""
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

Document = Mapping[str, Any]


@app.command(epilog="Example: tripswitch agent payroll-1")
def agent(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's id.")],
    server: ServerOption = None,
    token_file: TokenFileOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what an agent usually does, how well it is known, and what is in force about it.

    As of the last checkpoint; hours are UTC.
    """
    orders.check_agent(agent)
    if server is not None:
        with ServerClient(server, find_token(token_file)) as client:
            document = client.profile(agent)
    else:
        chosen, store = open_store(config)
        with closing(store):
            now_s = time.time()
            document = dossier.dossier_document(dossier.gather(chosen, store, agent, now_s), now_s)
    if as_json:
        print_json(document)
        return
    with told_by(server, "an agent"):
        typer.echo("\n".join(_lines(document)))


def _lines(document: Document) -> list[str]:
    profile = document["profile"]
    told = [*_who(document), *_force(document)]
    if profile is None:
        told.append("profile: damaged; the log of the daemon says why, it is learned anew")
    else:
        told += [
            *_uses(profile),
            *_counts(document),
            *_week(profile),
            *_amounts(profile),
            *_waiting(profile),
        ]
    return [*told, *_past(document)]


def _who(agent: Document) -> list[str]:
    who = [_text(agent["agent_id"], 200)]
    who += [f"role {_text(agent['role'])}"] if agent["role"] else []
    who += [f"version {_text(agent['agent_version'])}"] if agent["agent_version"] else []
    who += [f"owner {_text(agent['owner'])}"] if agent["owner"] else []
    first, last = _minute(agent["first_seen"]), _minute(agent["last_seen"])
    return [
        ", ".join(who),
        f"  {', '.join(now(agent)) or AgentState.ACTIVE}",
        f"  {agent['events']:,} events from {first} to {last}",
        f"  {learned(agent)}",
        *_places(agent),
    ]


def _places(agent: Document) -> list[str]:
    """Where else it has a profile; what is told below is of the one that saw it last."""
    named = [f"{_text(one['source'])}/{one['partition']}" for one in agent["seen_in"]]
    return [f"  as seen in {named[0]}; known in {', '.join(named[1:])}, too"] if named[1:] else []


def _force(agent: Document) -> list[str]:
    """What is in force about it: what it may, and what it was approved to do."""
    lines = ["grants: none"]
    if agent["grants"]:
        lines = ["grants:"]
    for grant in agent["grants"]:
        ends = f"until {_minute(grant['expires_at'])}" if grant["expires_at"] else "standing"
        by, why = _text(grant["granted_by"]), _text(grant["reason"], 100)
        lines.append(f"  {_text(grant['scope'])}, {ends}, by {by}: {why}")
    drift = agent["drift"]
    if drift and drift["approved_at"]:
        by = _text(drift["approved_by"]) if drift["approved_by"] else "nobody"
        at = _minute(drift["approved_at"])
        lines.append(
            f"approved: {drift['approved_terms']} terms, by {by} on {at}; "
            f"{drift['terms_beyond']} beyond them, in {drift['share_beyond']:.0%} of the last "
            "week's runs"
        )
    return lines


def _uses(profile: Document) -> list[str]:
    lines = [f"tools: {profile['tool_count']}, the most used"]
    most = max((tool["runs"] for tool in profile["tools"]), default=1)
    for tool in profile["tools"]:
        shown = [_text(target["text"], 40) for target in tool["targets"][:_TARGETS]]
        more = tool["target_count"] - len(shown)
        shown += [f"{more:,} more"] if more > 0 else []
        on = f"  on {', '.join(shown)}" if shown else ""
        runs = f"{tool['runs']:>7,} {_runs(tool['runs']):<4}"
        lines.append(f"  {_bar(tool['runs'] / most)} {runs}  {_text(tool['tool'], 40)}{on}")
    if effects := profile["effects"]:
        shares = ", ".join(f"{_text(effect)} {share:.0%}" for effect, share in effects.items())
        lines.append(f"effects: {shares}")
    for word, terms in (("on behalf of", profile["users"]), ("delegated by", profile["parents"])):
        if terms:
            lines.append(f"{word}: {', '.join(_text(term['text'], 60) for term in terms)}")
    return lines


def _counts(agent: Document) -> list[str]:
    """Of its last actions."""
    lines = []
    for word, counts in (("verbs", agent["verbs"]), ("outcomes", agent["outcomes"])):
        total = sum(counts.values())
        shares = [f"{_text(term, 40)} {count / total:.0%}" for term, count in counts.items()]
        lines += [f"{word}: {', '.join(shares)}"] if shares else []
    return lines


def _week(profile: Document) -> list[str]:
    """One row a day, one character an hour."""
    hours = profile["hours_of_week"]
    lines = ["hours in which it acts (UTC):  0     6     12    18"]
    for number, day in enumerate(_DAYS):
        lines.append(f"  {day:<28} {''.join(map(_bar, hours[24 * number : 24 * number + 24]))}")
    return lines


def _amounts(profile: Document) -> list[str]:
    lines = [f"runs: about {amount(profile['runs_per_week'])} a week"]
    if profile["run_scores"]:
        lines[0] += f", how odd the last ones were {sparkline(profile['run_scores'])}"
    for volume in profile["volumes"]:
        recent, limit = volume["recent"], volume["limit"]
        if not any(recent) and not volume["usual"]:
            continue  # it never had any
        alarms = "no limit yet" if limit is None else f"alarms above {amount(limit)}"
        lines.append(
            f"  {_text(volume['unit'])} per {span(volume['window_s'])}: "
            f"usually {amount(volume['usual'])}, {alarms}  {sparkline(recent)}"
        )
    return lines


def _waiting(profile: Document) -> list[str]:
    count = profile["quarantine_count"]
    if not count:
        return ["quarantine: empty"]
    lines = [f"quarantine: {count}, not learned until enough ordinary runs use it"]
    for term in profile["quarantine"]:
        on = f"{_text(term['tool'], 40)} on " if term["tool"] else f"{_text(term['kind'])} "
        why = ", alarmed on: `tripswitch expected` teaches it" if term["alarmed"] else ""
        lines.append(
            f"  {on}{_text(term['text'], 80)}: first {_minute(term['first_seen'])}, "
            f"{term['runs']} {_runs(term['runs'])}{why}"
        )
    return lines


def _past(agent: Document) -> list[str]:
    """Its last alerts and trips."""
    lines = []
    for alert in agent["alerts"]:
        what = ", ".join(_text(name, 40) for name in alert["detectors"])
        lines.append(
            f"alert {_text(alert['alert_id'])}: {_text(alert['severity'])}, "
            f"{_text(alert['state'])}, opened {_minute(alert['opened_at'])}: {what}"
        )
    for trip in agent["trips"]:
        state = _text(trip["state"]) if trip["state"] else "over"
        by, why = _text(trip["ordered_by"]), _text(trip["reason"], 100)
        lines.append(
            f"trip {_text(trip['trip_id'])}: {state}, {_minute(trip['ordered_at'])} by {by}: {why}"
        )
    return lines or ["no alerts, no trips"]


def _bar(share: float) -> str:
    return BARS[round(share * (len(BARS) - 1))]


def _runs(count: int) -> str:
    return "run" if count == 1 else "runs"


def _minute(iso: object) -> str:
    return clean(str(iso))[:16].replace("T", " ")


def _text(value: object, limit: int = _WIDTH) -> str:
    return clean(str(value), limit)
