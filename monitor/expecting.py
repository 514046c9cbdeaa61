"""Expecting: a person says that alerts were as they should be, and the profiles learn from it."""

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from alerting.alert import Alert
from alerting.mute import Matcher
from detectors.finding import Anomaly
from monitor import teaching
from monitor.errors import UsageError
from monitor.ledger import alerts, directives, lifecycle, mutes
from monitor.ledger.lifecycle import Changed
from monitor.store import Store, inventory
from monitor.teaching import Lessons, Scope

MAX_AGENTS: Final = 200
"""So many agents are taught at once; of more at once a person is not sure, or writes a mute."""
MAX_ANOMALIES: Final = 1000


@dataclass(frozen=True, slots=True)
class Expected:
    """What came of it.

    Attributes
    ----------
    lessons
        By agent: what it is taught.
    mute_ids
        With an end: the mutes that except exactly that.
    breaches
        Whether a declared boundary was crossed: that is told again, whatever is taught.
    """

    changed: Changed
    lessons: Mapping[str, Lessons]
    mute_ids: Sequence[str] = ()
    breaches: bool = False


def expect(
    store: Store,
    wanted: str,
    *,
    by: str,
    reason: str,
    receivers: Sequence[str],
    now_s: float,
    scope: Scope | None = None,
    lasts_s: float | None = None,
) -> Expected:
    """Mark alerts as expected, and teach what they were about.

    Without an end the profiles are taught, for good: terms leave quarantine and are known, levels,
    hours and the like are adopted, a drift is approved; the daemon applies that at a stated place
    of the log. With an end nothing is taught: exactly these terms, or these detectors of the
    agent, are muted until then. What crosses a boundary is told again, whatever is taught.

    Parameters
    ----------
    store
        Where alerts and profiles are.
    wanted
        An alert's id or an incident's, or the beginning of one.
    by, reason
        Who says so, and why.
    scope
        Only `terms` or only the `level`; None: whatever they were about.
    lasts_s
        For how long, in seconds; None: for good.

    Raises
    ------
    NotFoundError, UsageError
        As of `lifecycle.find`; or if these are too many agents at once.
    """
    with store.read() as ledger:
        agent_ids = {alert.agent_id for alert in lifecycle.find(ledger, wanted)}
    if len(agent_ids) > MAX_AGENTS:
        raise UsageError(
            f"these are {len(agent_ids):,} agents, over {MAX_AGENTS}: resolve the incident, or "
            "mute a role or a target"
        )
    with store.read_state() as state:
        seen = inventory.sightings(state, sorted(agent_ids))
    places = {agent: [(s.source, s.partition) for s in of] for agent, of in seen.items()}
    with store.ledger() as ledger:
        changed = lifecycle.expect(
            ledger, wanted, by=by, reason=reason, receivers=receivers, now_s=now_s
        )
        found = _anomalies(ledger, changed.changed)
        breaches = any(one.is_breach for of in found.values() for one in of)
        lessons = {agent: teaching.of(of, scope) for agent, of in found.items()}
        lessons = {agent: one for agent, one in lessons.items() if one.words()}
        if lasts_s is None:
            for agent_id, one in lessons.items():
                for place in places.get(agent_id, ()):
                    directives.order(
                        ledger,
                        agent_id=agent_id,
                        kind=teaching.KIND,
                        by=by,
                        actor=by,
                        reason=reason,
                        place=place,
                        now_s=now_s,
                        doc=teaching.write(one),
                    )
            return Expected(changed, lessons, breaches=breaches)
        mute_ids = [
            mutes.mute(
                ledger, matcher, reason=f"expected: {reason}", by=by, now_s=now_s, lasts_s=lasts_s
            ).mute_id
            for agent_id, of in found.items()
            for matcher in _exceptions(agent_id, of, scope)
        ]
        return Expected(changed, {}, mute_ids, breaches)


def _anomalies(ledger: Connection, changed: Sequence[Alert]) -> dict[str, list[Anomaly]]:
    found: dict[str, list[Anomaly]] = {}
    for alert in changed:
        of_one = alerts.anomalies_of(ledger, alert.alert_id, MAX_ANOMALIES)
        found.setdefault(alert.agent_id, []).extend(of_one)
    return found


def _exceptions(agent_id: str, found: Sequence[Anomaly], scope: Scope | None) -> list[Matcher]:
    """What is muted until the end: exactly these terms, and all else that these detectors find."""
    agent = glob.escape(agent_id)
    mutable = [one for one in found if not one.is_breach]
    about = [one for one in mutable if scope is None or teaching.scope_of(one) == scope]
    terms = {(one.tool, one.target): None for one in about if one.held == "run"}
    others = {one.detector: None for one in about if one.held != "run"}
    made = []
    if terms:
        pairs = tuple(terms)[: teaching.MAX_LESSONS]
        made.append(Matcher(agent=agent, tools_and_targets=pairs))
    if others:
        made.append(Matcher(agent=agent, detectors=tuple(others)))
    return made
