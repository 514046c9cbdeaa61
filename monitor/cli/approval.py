"""`tripswitch agents drift` and `agents approve`: by what an agent widened, and that it may."""

import time
from contextlib import closing
from typing import Annotated, Any

import typer

from alerting.render import clean
from alerting.sparkline import sparkline
from baselines.activity import Hourly
from detectors.digest import Digest, approval, digest, term
from detectors.explain import amount
from monitor.cli.app import (
    ConfigOption,
    JsonOption,
    open_store,
    operator,
    print_json_lines,
)
from monitor.errors import NotFoundError, TripswitchError
from monitor.ledger import directives
from monitor.store import inventory

approval_app = typer.Typer(rich_markup_mode=None)


@approval_app.command(epilog="Example: tripswitch agents drift payroll-1")
def drift(
    agent: Annotated[
        str | None, typer.Argument(metavar="AGENT", help="Of this agent.", show_default=False)
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="Of agents of this role.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell by what agents widened, and how much busier they are, since they were approved."""
    from monitor.policies import detection  # River takes its time to load
    from monitor.store import shards

    chosen, store = open_store(config)
    rules = detection(chosen).rules
    with closing(store), store.read_state() as state:
        found = shards.read_profiles(state, rules, agent_id=agent, role=role)
        told = [digest(profile) for profile in found]
    if agent is not None and not told:
        raise _unknown(agent)
    if as_json:
        print_json_lines(map(_document, told))
        return
    shown = [one for one in told if agent is not None or one.beyond]
    typer.echo("\n\n".join(_lines(one) for one in shown) or "no agent goes beyond its profile")


@approval_app.command(epilog="Example: tripswitch agents approve payroll-1 --reason 'new scope'")
def approve(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's id.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")],
    by: Annotated[
        str | None, typer.Option("--by", help="Who says so; you, if not given.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve what an agent does by now: it is held against this from here on.

    The daemon applies it within seconds, at a stated place of the agent's log; of several topics
    in each, told with a line of JSON each.
    """
    _, store = open_store(config)
    with closing(store):
        with store.read_state() as state:
            seen = inventory.sightings(state, [agent])[agent]
        if not seen:
            raise _unknown(agent)
        newest = {place.source: place for place in reversed(seen)}.values()
        with store.ledger() as ledger:
            ordered = [
                {
                    "directive": directives.order(
                        ledger,
                        agent_id=agent,
                        kind="approve",
                        by=by or operator(),
                        actor=operator(),
                        reason=reason,
                        place=(place.source, place.partition),
                        now_s=time.time(),
                    ),
                    "agent_id": agent,
                    "kind": "approve",
                    "by": by or operator(),
                    "reason": reason,
                    "source": place.source,
                    "partition": place.partition,
                }
                for place in newest
            ]
    if as_json:
        print_json_lines(ordered)
        return
    numbers = ", ".join(f"directive {one['directive']}" for one in ordered)
    typer.echo(
        f"what {clean(agent, 200)} does by now is approved by {clean(by or operator(), 200)}; "
        f"a running daemon applies it within seconds ({numbers})"
    )


def _unknown(agent: str) -> TripswitchError:
    return NotFoundError(
        f"no profile of agent {agent!r:.200}; `tripswitch agents` lists those that are known"
    )


def _document(told: Digest) -> dict[str, Any]:
    """One digest as JSON; the names are a contract."""
    return {
        "agent_id": told.agent_id,
        "role": told.role,
        "approved_at_s": told.approved_at_s,
        "approved_by": told.approved_by,
        "approved_terms": told.terms,
        "terms_beyond": told.breadth,
        "share_beyond": told.share,
        "weeks": [
            {"runs": runs, "beyond": beyond}
            for runs, beyond in zip(told.runs, told.beyond_runs, strict=True)
        ],
        "beyond": [
            {
                "kind": beyond.kind,
                "tool": beyond.tool,
                "text": beyond.text,
                "first_s": beyond.first_s,
                "runs": beyond.runs,
            }
            for beyond in told.beyond
        ],
        "then": _hourly(told.then),
        "now": _hourly(told.now),
    }


def _hourly(hourly: Hourly | None) -> dict[str, float] | None:
    if hourly is None:
        return None
    return {"hours": hourly.hours, "calls": hourly.calls, "bytes_out": hourly.bytes_out}


def _lines(told: Digest) -> str:
    role = f" ({clean(told.role, 60)})" if told.role else ""
    state = approval(told.approved_by, told.approved_at_s)
    lines = [f"{clean(told.agent_id, 200)}{role}: {clean(state, 300)}, {told.terms} terms"]
    if told.approved_at_s is not None:
        lines.append(
            f"  beyond it: {told.beyond_runs[-1]} of {told.runs[-1]} runs in the last 7 days "
            f"({told.share:.0%})  {sparkline(told.shares)} by week, {told.breadth} terms"
        )
    lines += [f"  {clean(term(beyond), 400)}" for beyond in told.beyond]
    if told.now is not None and told.then is not None:
        for unit, then, now in (
            ("calls", told.then.calls, told.now.calls),
            ("bytes out", told.then.bytes_out, told.now.bytes_out),
        ):
            lines.append(f"  {unit} per active hour: {amount(then)} then, {amount(now)} now")
    return "\n".join(lines)
