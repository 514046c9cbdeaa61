"""Power: the smallest change of a known agent that is caught in time.

After four weeks of benign work an agent changes. Caught is a change when a detector of levels
raises what it does not raise on the same agent unchanged; time is counted from the first action
after the change.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import chain, takewhile
from math import inf
from typing import Any, Final

import ormsgpack

from baselines.profile import Profile
from detectors.finding import Anomaly
from detectors.shard import Shard
from tests.bench.figures.budget import BUDGETS, feed, in_order
from tests.bench.figures.part import Job, policy
from tests.kit.benign.agent import Agent, Change, Item
from tests.kit.benign.arrivals import DAY_S, HOUR_S
from tests.kit.benign.fast import FastAgent
from tests.kit.benign.kinds import KINDS, START_S, TEN_A_SECOND, crowd

AGENTS: Final = 8
AGENTS_QUICKLY: Final = 2
SHARDS: Final = 2
LEARNED_S: Final = 28 * DAY_S
STARTS_S: Final = (10 * HOUR_S, DAY_S + 14 * HOUR_S)
"""When the changes come, after the four weeks: Monday at ten, Tuesday at two in the afternoon."""
WITHIN_S: Final = {"5 minutes": 300.0, "an hour": HOUR_S, "a day": DAY_S}
PROBABILITY: Final = 0.95
FACTORS: Final = (1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
LEAKS: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
"""Additional bytes an hour, as a share of what the agent sends in an average hour."""
CHANGES: Final = {"rate": FACTORS, "volume": FACTORS, "leak": LEAKS}

LEVEL_DETECTORS: Final = frozenset(
    {"rate_spike", "volume_spike", "failure_spike", "denial_spike", "override_spike", "drift"}
)


def jobs(quick: bool) -> list[Job]:
    """Two for each kind, the longest first."""
    kinds = sorted(KINDS, key=lambda kind: kind != TEN_A_SECOND)
    some = (AGENTS_QUICKLY if quick else AGENTS) // SHARDS
    return [
        # An agent of ten actions a second costs ten times as much.
        Job(measure, (kind, shard * some, max(1, some // 2) if kind == TEN_A_SECOND else some))
        for kind in kinds
        for shard in range(SHARDS)
    ]


def figures(results: list[dict[str, Any]]) -> dict[str, Any]:
    """For each kind, budget and change: from which factor on it is caught in each time."""
    rows = []
    for kind in KINDS:
        parts = [result for result in results if result["kind"] == kind]
        trials = sum(part["trials"] for part in parts)
        for budget in BUDGETS:
            for change, factors in CHANGES.items():
                shares = {
                    factor: {
                        within: sum(
                            delay <= within_s
                            for part in parts
                            for delay in part["delays"][budget, change, factor]
                        )
                        / trials
                        for within, within_s in WITHIN_S.items()
                    }
                    for factor in factors
                }
                smallest = {within: _smallest(shares, within) for within in WITHIN_S}
                rows.append(
                    {
                        "kind": kind,
                        "budget": budget,
                        "change": change,
                        "smallest": smallest,
                        "shares": {
                            str(f): {w: round(s, 3) for w, s in by.items()}
                            for f, by in shares.items()
                        },
                        "trials": trials,
                    }
                )
    return {"probability": PROBABILITY, "kinds": rows}


def _smallest(shares: Mapping[float, Mapping[str, float]], within: str) -> float | None:
    """From which factor on every one is caught often enough."""
    caught = takewhile(lambda f: shares[f][within] >= PROBABILITY, sorted(shares, reverse=True))
    return min(caught, default=None)


def measure(kind: str, first: int, number: int) -> dict[str, Any]:
    """Some agents of one kind: the delay of the first alarm, in seconds, for every change."""
    agents = crowd(kind, number, first=first)
    shards = [Shard("bench", 0, policy(budget)) for budget in BUDGETS]
    delays: dict[tuple[float, str, float], list[float]] = defaultdict(list)
    sent: Counter[str] = Counter()
    for start_s in STARTS_S:
        changed_s = START_S + LEARNED_S + start_s
        for _ in feed(shards, _tallied(in_order(agents, changed_s), sent)):
            pass
        for agent in agents:
            sent_per_h = sent[agent.agent_id] * HOUR_S / (changed_s - START_S)
            trial = _Trial(agent, shards, changed_s)
            for change, factors in CHANGES.items():
                caught = [inf for _ in BUDGETS]
                for factor in factors:
                    # What was caught at once when it was smaller need not be tried again.
                    if max(caught) > min(WITHIN_S.values()):
                        caught = trial.delays(_change(change, factor, sent_per_h))
                    for budget, delay in zip(BUDGETS, caught, strict=True):
                        delays[budget, change, factor].append(delay)
    return {"kind": kind, "delays": dict(delays), "trials": len(agents) * len(STARTS_S)}


def _change(change: str, factor: float, sent_per_h: float) -> Change:
    if change == "leak":
        return Change(leak_bytes_per_h=factor * sent_per_h)
    return Change(**{change: factor})


def _tallied(items: Iterator[Item], sent: Counter[str]) -> Iterator[Item]:
    """The same items, with the bytes that each agent sends summed up."""
    for item in items:
        sent[item.event.agent_id] += item.event.bytes_out or 0
        if item.before is not None:
            sent[item.event.agent_id] += item.before.bytes_out
        yield item


class _Trial:
    """One agent as it stands, to be changed again and again in different ways."""

    def __init__(self, agent: Agent | FastAgent, shards: Sequence[Shard], changed_s: float) -> None:
        self._agent = agent
        self._changed_s = changed_s
        self._policies = [shard.policy for shard in shards]
        self._saved = [
            ormsgpack.packb(
                shard.profiles[agent.agent_id].dump(), option=ormsgpack.OPT_NON_STR_KEYS
            )
            for shard in shards
        ]
        self._usual = {(judge, found.anomaly_id) for judge, found, _ in self._raised(Change())}

    def delays(self, change: Change) -> list[float]:
        """By budget: seconds until the change was caught; infinite if it was not."""
        delays = [inf for _ in self._policies]
        for judge, anomaly, after_s in self._raised(change):
            if (judge, anomaly.anomaly_id) not in self._usual:
                delays[judge] = min(delays[judge], after_s)
                if max(delays) < inf:
                    break
        return delays

    def _raised(self, change: Change) -> Iterator[tuple[int, Anomaly, float]]:
        """What a day of the changed agent raises, and how long after its first action."""
        agent = deepcopy(self._agent)
        agent.change = change
        shards = [Shard("bench", 0, policy) for policy in self._policies]
        for shard, saved in zip(shards, self._saved, strict=True):
            profile = ormsgpack.unpackb(saved, option=ormsgpack.OPT_NON_STR_KEYS)
            shard.admit([Profile.load(profile, shard.policy.rules)])
        items = agent.until(self._changed_s + max(WITHIN_S.values()))
        first = next(items, None)
        if first is None:
            return
        for judge, anomaly in feed(shards, chain([first], items)):
            if anomaly.detector in LEVEL_DETECTORS:
                yield judge, anomaly, anomaly.time.timestamp() - first.event.time_s
