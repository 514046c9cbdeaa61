"""What people ask for in Slack, done: by the same functions of the ledger as the command line."""

import glob
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, func, select

from alerting.alert import Alert
from alerting.killswitch import BLOCKED
from alerting.mute import Matcher
from alerting.render import agents_of, clean
from monitor import expecting
from monitor.errors import UsageError
from monitor.ledger import (
    approvals,
    conditions,
    holds,
    incidents,
    lifecycle,
    mutes,
    pauses,
    trip_question,
    trips,
)
from monitor.ledger.approvals import SECOND_PERSON
from monitor.ledger.response import Response
from monitor.orders import check_order, check_reason
from monitor.slack_request import Ask, agent_key
from monitor.store import Store
from monitor.store.schema import agents as agents_table
from monitor.store.schema import incidents as incidents_table

MUTED_FOR_S: Final = 3600.0
MAX_AGENTS: Final = 100
"""So many of an incident's agents can be chosen from; the worst come first."""
MAX_MUTED: Final = 20
_MAX_SHOWN: Final = 10


def perform(connection: Connection, ask: Ask, response: Response, now_s: float) -> str:
    """Do what was asked for, in the caller's transaction; returns what to tell who asked.

    Raises
    ------
    TripswitchError
        If it cannot be done: nothing is left of it once the transaction is rolled back.
    """
    match ask.verb:
        case "acknowledge":
            return _acknowledge(connection, ask, response, now_s)
        case "mute":
            return _mute(connection, ask, now_s)
        case "kill":
            return _kill(connection, ask, response, now_s)
        case "approve" | "decline":
            return _decide(connection, ask, response, now_s)
    raise UsageError(f"{ask.verb} is no order of one transaction")


def expect(store: Store, ask: Ask, response: Response, now_s: float) -> str:
    """Mark as expected and teach, in transactions of its own; a second time it changes nothing.

    Raises
    ------
    TripswitchError
        If it cannot be done.
    """
    check_reason(ask.reason)
    done = expecting.expect(
        store, ask.id, by=ask.actor, reason=ask.reason, receivers=response.receivers, now_s=now_s
    )
    if not done.changed.changed:
        return f"{ask.about} {ask.id} was marked as expected before"
    learned = "what it was about is learned" if done.lessons else "nothing in it is learned"
    if done.breaches:
        learned += "; what crossed a declared boundary is told again"
    return f"{ask.about} {ask.id} is marked as expected; {learned}"


def agents_about(connection: Connection, ask: Ask) -> list[str]:
    """The agents that a kill may mean, the worst first.

    Raises
    ------
    TripswitchError
        If there are none.
    """
    if ask.about == "agent":
        return [ask.id]
    return list(dict.fromkeys(alert.agent_id for alert in _alerts(connection, ask)))


def what_about(connection: Connection, ask: Ask) -> str:
    """What is asked about, for people; hostile text.

    Raises
    ------
    TripswitchError
        If it is not there.
    """
    if ask.about == "approval":
        one = approvals.get(connection, ask.id)
        return f"{one.kind} {approvals.about(one)}, asked by {one.asked_by}: {one.reason}"
    found = agents_about(connection, ask)
    others = f" and {len(found) - 1:,} more" if len(found) > 1 else ""
    return f"{found[0]}{others}"


def status(connection: Connection, now_s: float, *, observing: bool) -> list[str]:
    """How things stand, in clean lines.

    Parameters
    ----------
    observing
        Whether no rule cuts agents off by itself.
    """
    shown = incidents_table.c.state.in_(("open", "acknowledged"))
    ids = select(incidents_table.c.incident_id).where(shown)
    newest = ids.order_by(incidents_table.c.severity.desc(), incidents_table.c.opened_at.desc())
    count = connection.execute(select(func.count()).where(shown)).scalar_one()
    found = incidents.load(connection, connection.execute(newest.limit(_MAX_SHOWN)).scalars())
    lines = [f"{count:,} incidents are open" if count else "no incident is open"]
    for one in sorted(found.values(), key=lambda s: (-s.incident.severity, s.incident.incident_id)):
        it = one.incident
        lines.append(f"• {it.severity.label} {it.incident_id}, {it.state}: {agents_of(it)}")
    blocked = agents_table.c.state.in_(BLOCKED)
    cut = connection.execute(select(func.count()).where(blocked)).scalar_one()
    names = select(agents_table.c.agent_id).where(blocked).order_by(agents_table.c.since.desc())
    some = [clean(name, 60) for name in connection.execute(names.limit(_MAX_SHOWN)).scalars()]
    lines.append(f"{cut:,} agents are cut off" + (f": {', '.join(some)}" if some else ""))
    lines += [f"• {clean(c.text)}" for c in conditions.open_now(connection)[:_MAX_SHOWN]]
    if observing:
        return [*lines, "observing: no rule cuts an agent off by itself"]
    pause = pauses.current(connection, now_s)
    armed = "armed" if pause is None else f"automatic trips are paused: {clean(pause.reason)}"
    return [*lines, armed]


def _alerts(connection: Connection, ask: Ask) -> Sequence[Alert]:
    if ask.about == "incident":
        found = incidents.alerts_of(connection, ask.id, MAX_AGENTS)
    else:
        found = lifecycle.find(connection, ask.id)
    if not found:
        raise UsageError(f"{ask.about} {ask.id} is not there any more")
    return found


def _acknowledge(connection: Connection, ask: Ask, response: Response, now_s: float) -> str:
    done = lifecycle.acknowledge(
        connection, ask.id, by=ask.actor, receivers=response.receivers, now_s=now_s
    )
    if done.changed:
        return f"{ask.about} {ask.id} is yours"
    return f"{ask.about} {ask.id} was {done.named[0].state} already"


def _mute(connection: Connection, ask: Ask, now_s: float) -> str:
    found = agents_about(connection, ask)
    if len(found) > MAX_MUTED:
        raise UsageError(f"these are over {MAX_MUTED} agents: `tripswitch mute` takes a role")
    on = {one.matcher for one in mutes.active(connection, now_s)}
    for agent_id in found:
        matcher = Matcher(agent=glob.escape(agent_id))
        if matcher not in on:
            mutes.mute(
                connection,
                matcher,
                reason=f"muted in Slack at {ask.about} {ask.id}",
                by=ask.actor,
                now_s=now_s,
                lasts_s=MUTED_FOR_S,
            )
    whom = clean(found[0], 60) if len(found) == 1 else f"{len(found)} agents"
    return f"{whom} muted for an hour; trips and boundaries are told all the same"


def _kill(connection: Connection, ask: Ask, response: Response, now_s: float) -> str:
    found = agents_about(connection, ask)
    chosen = [one for one in found if ask.agent is None or agent_key(one) == ask.agent]
    if len(chosen) != 1:
        raise UsageError("choose one agent of the incident")
    check_order(chosen[0], ask.reason)
    ordered = trips.order_kill(
        connection,
        agent_id=chosen[0],
        reason=ask.reason,
        ordered_by=ask.actor,
        automatic=False,
        now_s=now_s,
        points=response.points,
        receivers=response.receivers,
    )
    said = "is being cut off" if ordered.is_new else "was cut off before"
    return f"{clean(chosen[0], 100)} {said}: trip {ordered.trip_id}"


def _decide(connection: Connection, ask: Ask, response: Response, now_s: float) -> str:
    check_reason(ask.reason)
    approve = ask.verb == "approve"
    decided = approvals.decide(
        connection, ask.id, by=ask.actor, approve=approve, reason=ask.reason, now_s=now_s
    )
    about = clean(approvals.about(decided), 100)
    if not approve:
        trip_question.tell_not_approved(connection, decided, response.receivers, now_s)
        return f"declined: {about} is not cut off"
    if decided.kind in SECOND_PERSON:
        holds.carry_out(connection, decided, receivers=response.receivers, now_s=now_s)
        return f"approved: {about} are being cut off"
    trip = trip_question.carry_out_approved(
        connection, decided, response.points, response.receivers, now_s
    )
    return f"approved: {about} is being cut off, trip {trip.trip_id}"
