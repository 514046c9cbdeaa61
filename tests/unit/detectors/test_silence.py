"""Who stops reporting while it should act is missed; who may be quiet is not."""

import json
import random
from heapq import merge

import pytest

from baselines.profile import Profile
from baselines.rhythm import DAY_S, HOUR_S
from detectors.budget import Budget
from detectors.finding import Anomaly, Severity
from detectors.shard import Policy, Shard
from detectors.silence import Silence
from tests.kit.week import MONDAY_S, play

POLICY = Policy.of(Budget(1.0))

Act = tuple[float, str]


def every(seconds: float, days: float, agent: str, first_s: float = MONDAY_S) -> list[Act]:
    return [(first_s + n * seconds, agent) for n in range(int(days * DAY_S / seconds))]


def feed(shard: Shard, *streams: list[Act]) -> list[Anomaly]:
    return [a for time_s, agent in merge(*streams) for a in play(shard, [time_s], agent)]


def at_random(per_day: float, days: float, agent: str, seed: int = 3) -> list[Act]:
    rng, acts, time_s = random.Random(seed), [], MONDAY_S
    while time_s < MONDAY_S + days * DAY_S:
        acts.append((time_s, agent))
        time_s += rng.expovariate(per_day / DAY_S)
    return acts


def silences(found: list[Anomaly]) -> list[Anomaly]:
    return [anomaly for anomaly in found if anomaly.detector == "silence"]


def test_one_that_acts_every_few_minutes_is_missed_within_the_hour() -> None:
    shard = Shard("log", 0, POLICY)
    acts = every(240, 7, "steady")
    (found,) = silences(feed(shard, acts, every(300, 8, "other")))
    last_s, _ = acts[-1]
    assert (found.agent_id, found.time.timestamp()) == ("steady", last_s)
    assert found.event_id == f"e{int(last_s * 10)}"
    assert (found.offset, found.tool, found.target) == (
        int(last_s * 10),
        "read_ledger",
        "account-1",
    )
    assert 5 <= found.threshold <= found.observed <= 60
    assert found.expected < found.threshold
    assert found.calibration == "calibrated"
    assert found.severity == Severity.HIGH
    assert "has not acted for" in found.text


def test_ten_actions_a_day_are_missed_only_after_a_day_or_so() -> None:
    shard = Shard("log", 0, POLICY)
    rare = at_random(10, 28, "rare")
    found = silences(feed(shard, rare, every(1800, 32, "other")))
    assert [anomaly.agent_id for anomaly in found] == ["rare"]
    assert 8 * 60 < found[0].observed < 3 * 1440
    assert found[0].severity == Severity.MEDIUM


def test_nobody_is_missed_after_an_outage_of_the_whole_stream() -> None:
    shard = Shard("log", 0, POLICY)
    agents = [f"agent-{n}" for n in range(4)]
    before = [every(300, 8, agent, MONDAY_S + n) for n, agent in enumerate(agents)]
    back_s = MONDAY_S + 8 * DAY_S + 6 * HOUR_S
    after = [every(300, 1, agent, back_s + n) for n, agent in enumerate(agents)]
    assert silences(feed(shard, *before, *after)) == []


def test_one_that_retires_is_missed_once_and_again_only_after_it_came_back() -> None:
    shard = Shard("log", 0, POLICY)
    other = every(600, 20, "other")
    first = every(600, 8, "steady")
    again = every(600, 2, "steady", MONDAY_S + 12 * DAY_S)
    found = silences(feed(shard, other, first, again))
    assert [anomaly.time.timestamp() for anomaly in found] == [first[-1][0], again[-1][0]]


def test_an_uncalibrated_agent_is_not_missed() -> None:
    shard = Shard("log", 0, POLICY)
    assert silences(feed(shard, every(300, 4, "young"), every(300, 8, "other"))) == []


def test_one_whose_events_come_late_is_not_missed_for_that() -> None:
    shard = Shard("log", 0, POLICY)
    late = [(time_s + HOUR_S, time_s) for time_s, _ in every(300, 8, "late")]
    other = [(time_s, time_s) for time_s, _ in every(300, 8, "other")]
    found: list[Anomaly] = []
    for _, time_s, agent in merge(
        [(*pair, "late") for pair in late], [(*pair, "other") for pair in other]
    ):
        found += play(shard, [time_s], agent)
    assert silences(found) == []


@pytest.mark.parametrize("cut", [0.3, 0.7, 0.9, 0.97])
def test_saved_and_loaded_with_nobody_in_memory_it_misses_the_same(cut: float) -> None:
    acts = list(merge(every(600, 7, "steady"), at_random(40, 7, "rare"), every(300, 9, "other")))
    whole = [a.anomaly_id for a in feed(Shard("log", 0, POLICY), acts)]
    assert whole
    at = int(len(acts) * cut)
    first = Shard("log", 0, POLICY)
    found = feed(first, acts[:at])
    rows = {name: profile.dump() for name, profile in first.profiles.items()}
    due = [(p.due_s, p.agent_id) for p in first.profiles.values() if p.due_s is not None]
    second = Shard("log", 0, POLICY)
    second.silence = Silence.load(json.loads(json.dumps(first.silence.dump())), due)
    for time_s, agent in acts[at:]:
        needed = {agent, *second.silence.due.by(time_s)} & rows.keys() - second.profiles.keys()
        second.admit(Profile.load(rows[name], POLICY.rules) for name in needed)
        found += play(second, [time_s], agent)
    assert [anomaly.anomaly_id for anomaly in found] == whole
