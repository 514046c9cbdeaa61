"""`tripswitch digest`: what happened in the last day or week, now."""

import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from alerting.digest import Every, Facts, Period, details
from alerting.render import clean
from monitor.cli.app import ConfigOption, JsonOption, app, open_store, print_json_lines
from monitor.digest import gather, newest
from monitor.errors import UsageError
from monitor.routing import routing


@app.command(epilog="Example: tripswitch digest --weekly")
def digest(
    daily: Annotated[bool, typer.Option("--daily", help="Of a day; the default.")] = False,
    weekly: Annotated[bool, typer.Option("--weekly", help="Of a week.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what happened since the newest digest was due, and in the whole period before it."""
    if daily and weekly:
        raise UsageError("--daily or --weekly, not both")
    every: Every = "weekly" if weekly else "daily"
    chosen, store = open_store(config)
    with closing(store):
        now = datetime.fromtimestamp(time.time(), UTC)
        over = newest(chosen, every, now)
        one = Period(every, over.since, now.astimezone(over.until.tzinfo))
        found = gather(chosen, store, routing(chosen), one)
    if as_json:
        print_json_lines(map(_document, found))
        return
    for facts in found:
        typer.echo(_lines(facts))


def _lines(facts: Facts) -> str:
    of = f" of {clean(facts.owner, 100)}" if facts.owner else ""
    since, until = (f"{at:%Y-%m-%d %H:%M}" for at in (facts.period.since, facts.period.until))
    told = details(facts)
    width = max(len(label) for label, _ in told)
    lines = [f"digest{of}, {since} to {until} {facts.period.until:%Z}"]
    return "\n".join([*lines, *(f"  {label:<{width}}  {clean(v, 600)}" for label, v in told)])


def _document(facts: Facts) -> dict[str, Any]:
    """One digest as JSON; the names are a contract."""
    return {
        "owner": facts.owner,
        "every": facts.period.every,
        "since": facts.period.since.isoformat(),
        "until": facts.period.until.isoformat(),
        "incidents": facts.incidents,
        "alerts": facts.alerts,
        "severities": dict(facts.severities),
        "detectors": dict(facts.detectors),
        "not_sent": dict(facts.kept_back),
        "judged": facts.marked,
        "false": facts.false,
        "agents": facts.agents,
        "learning": facts.learning_count,
        "learning_agents": list(facts.learning),
        "creep": [
            {"agent_id": agent, "share": share, "beyond": what}
            for agent, share, what in facts.creep
        ],
        "expiring_grants": [
            {"agent_id": agent, "scope": scope, "expires_at": at.isoformat()}
            for agent, scope, at in facts.expiring
        ],
        "standing_grants": [
            {"agent_id": agent, "scope": scope, "granted_at": at.isoformat()}
            for agent, scope, at in facts.standing
        ],
        "trips": [{"agent_id": agent, "how": how} for agent, how in facts.trips],
        "conditions": list(facts.conditions),
    }
