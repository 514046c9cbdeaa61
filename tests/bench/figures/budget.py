"""The budget: how many false alarms generated benign agents raise in eight weeks."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from heapq import merge
from typing import Any, Final

from detectors.shard import Shard
from tests.bench.figures.part import Job, episode, policy, would_alert
from tests.kit.benign.agent import Agent, Item
from tests.kit.benign.arrivals import WEEK_S
from tests.kit.benign.fast import FastAgent, count_in
from tests.kit.benign.kinds import KINDS, START_S, TEN_A_SECOND, crowd

BUDGETS: Final = (1.0, 10.0)
WEEKS: Final = 8
AGENTS: Final = 30
"""Seven weeks of thirty agents are 210 agent-weeks."""
AGENTS_QUICKLY: Final = 4
ALLOWED: Final = 1.5
"""Mean false alarms of a kind may be so many times the budget."""


def jobs(quick: bool) -> list[Job]:
    """Two for each kind, the longest first; the agents of one share a shard."""
    halves = dict.fromkeys(KINDS, (AGENTS_QUICKLY if quick else AGENTS) // 2)
    if quick:
        halves[TEN_A_SECOND] = 1
    kinds = sorted(KINDS, key=lambda kind: kind != TEN_A_SECOND)
    return [Job(measure, (kind, n * halves[kind], halves[kind])) for kind in kinds for n in (0, 1)]


def figures(results: list[dict[str, Any]]) -> dict[str, Any]:
    """For each kind and budget: mean and worst agent from week 2 on, and the first week.

    What repeats an alarm about the same, until that is known, joins its alert; it is counted apart.
    """
    rows = []
    for kind in KINDS:
        halves = [result for result in results if result["kind"] == kind]
        for budget in BUDGETS:
            parts = [half["budgets"][budget] for half in halves]
            weekly = [weeks for part in parts for weeks in part["weekly"]]
            later = [sum(weeks[1:]) / (WEEKS - 1) for weeks in weekly]
            rows.append(
                {
                    "kind": kind,
                    "budget": budget,
                    "mean": round(sum(later) / len(later), 3),
                    "worst_agent": round(max(later), 3),
                    "repeats": round(
                        sum(part["repeated"] for part in parts) / len(weekly) / (WEEKS - 1), 3
                    ),
                    "first_week": round(sum(weeks[0] for weeks in weekly) / len(weekly), 3),
                    "by_week": [
                        round(sum(weeks[n] for weeks in weekly) / len(weekly), 2)
                        for n in range(WEEKS)
                    ],
                    "agent_weeks": len(weekly) * (WEEKS - 1),
                    "events": sum(half["events"] for half in halves),
                    "by_detector": dict(sum((part["by_detector"] for part in parts), Counter())),
                }
            )
    return {"allowed": ALLOWED, "kinds": rows}


def in_order(agents: Sequence[Agent | FastAgent], until_s: float) -> Iterator[Item]:
    """The events of all agents, in time order."""
    streams = [agent.until(until_s) for agent in agents]
    return merge(*streams, key=lambda item: item.event.time_s)


def feed(shards: Sequence[Shard], items: Iterator[Item]) -> Iterator[tuple[int, Any]]:
    """Give every event to every shard; which shard raised which anomaly, as it happens."""
    for offset, (event, raw, before) in enumerate(items):
        for number, shard in enumerate(shards):
            if before is not None:
                count_in(shard.profiles[event.agent_id], before)
            for anomaly in shard.feed(event, raw, offset):
                if would_alert(anomaly):
                    yield number, anomaly


def measure(kind: str, first: int, number: int, weeks: int = WEEKS) -> dict[str, Any]:
    """Some agents of one kind, judged at each budget."""
    agents = crowd(kind, number, first=first)
    shards = [Shard("bench", 0, policy(budget)) for budget in BUDGETS]
    seen: set[tuple[int, str, str]] = set()
    weekly = [defaultdict[str, Counter[int]](Counter) for _ in BUDGETS]
    by_detector: list[Counter[str]] = [Counter() for _ in BUDGETS]
    repeated: list[Counter[str]] = [Counter() for _ in BUDGETS]
    for judged, anomaly in feed(shards, in_order(agents, START_S + weeks * WEEK_S)):
        week = min(weeks - 1, int((anomaly.time.timestamp() - START_S) // WEEK_S))
        if anomaly.repeat:  # joins the alert that told it first
            repeated[judged][anomaly.agent_id] += week > 0
            continue
        by_detector[judged][anomaly.detector] += 1
        key = (judged, anomaly.agent_id, episode(anomaly))
        if key not in seen:
            seen.add(key)
            weekly[judged][anomaly.agent_id][week] += 1
    budgets = {
        budget: {
            "weekly": [[counts[agent.agent_id][n] for n in range(weeks)] for agent in agents],
            "repeated": again.total(),
            "by_detector": detectors,
        }
        for budget, counts, again, detectors in zip(
            BUDGETS, weekly, repeated, by_detector, strict=True
        )
    }
    events = sum(profile.events for profile in shards[0].profiles.values())
    return {"kind": kind, "budgets": budgets, "events": events}
