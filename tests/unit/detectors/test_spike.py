from typing import Any

import numpy as np
import pytest

from detectors.budget import Budget
from detectors.finding import Anomaly, Severity
from detectors.shard import Policy, Shard
from tests.kit.events import START_S, event, raw_event


def shard(budget: float = 10.0) -> Shard:
    return Shard("log", 0, Policy.of(Budget(budget)))


def feed(one: Shard, number: int, time_s: float, **fields: Any) -> list[Anomaly]:
    fields = {"target": None, **fields}
    raw = raw_event(number, time_s, **fields)
    return list(one.feed(event(number, time_s, **fields), raw, number))


def steady(one: Shard, minutes: int, each: int = 3, **fields: Any) -> None:
    """`each` calls in each of so many minutes, with some noise."""
    rng = np.random.default_rng(5)
    for minute in range(minutes):
        for call in range(each + int(rng.integers(0, 2))):
            assert feed(one, minute * 100 + call, START_S + minute * 60 + call, **fields) == []


@pytest.mark.parametrize(
    ("detector", "fields", "burst", "unit"),
    [
        ("rate_spike", {}, {}, "calls per minute"),
        ("volume_spike", {"bytes_out": 500}, {"bytes_out": 10**7}, "bytes out per minute"),
        ("volume_spike", {"bytes_in": 500}, {"bytes_in": 10**7}, "bytes in per minute"),
        ("failure_spike", {}, {"status": "error"}, "failures per minute"),
        ("denial_spike", {}, {"status": "denied"}, "denials per minute"),
        ("override_spike", {}, {"status": "bypassed"}, "overrides per minute"),
    ],
)
def test_a_burst_alarms_inside_its_window(
    detector: str, fields: dict[str, Any], burst: dict[str, Any], unit: str
) -> None:
    one = shard()
    steady(one, 60, **fields)
    found: list[Anomaly] = []
    for call in range(50):
        found += feed(
            one,
            10_000 + call,
            START_S + 3600 + call * 0.5,
            **{**fields, **burst, "tool": f"t{call % 7}"},
        )
    mine = [a for a in found if a.detector == detector and a.unit == unit]
    assert len(mine) == 1, "once a window, however long it goes on"
    anomaly = mine[0]
    assert anomaly.observed > anomaly.threshold > anomaly.expected
    assert anomaly.p_value is not None
    assert anomaly.p_value < 1e-3
    assert (anomaly.source, anomaly.partition) == ("log", 0)
    assert anomaly.event_id == f"e{anomaly.offset}", "the evidence is the event that raised it"
    assert unit in anomaly.text


def test_the_first_value_past_the_limit_is_the_one_that_alarms() -> None:
    one = shard()
    steady(one, 60)
    found: list[Anomaly] = []
    calls = 0
    while not found:
        found = feed(one, 10_000 + calls, START_S + 3600 + calls * 0.1)
        calls += 1
        assert calls < 100
    assert [a.observed for a in found] == [calls]
    assert calls - 1 <= found[0].threshold < calls


def test_a_finding_says_what_is_usual_and_what_was_before() -> None:
    one = shard()
    steady(one, 60)
    found: list[Anomaly] = []
    for call in range(50):
        found += feed(one, 10_000 + call, START_S + 3600 + call * 0.1)
    spike = found[0]
    assert spike.calibration == "uncalibrated"
    assert len(spike.history) == 9
    assert all(total in (3, 4) for total in spike.history[:-1])
    assert spike.history[-1] == spike.observed
    assert "known from 60 minutes" in spike.evidence[0]
    assert "limit" in spike.evidence[1]


def test_once_its_hours_are_known_the_p_value_is_a_share_of_them() -> None:
    one = shard()
    rng = np.random.default_rng(5)
    for hour in range(125):
        for minute in range(4):
            for call in range(1 + int(rng.poisson(1))):
                number = hour * 1000 + minute * 100 + call
                feed(one, number, START_S + hour * 3600 + minute * 60 + call, tool=f"t{call % 3}")
    found: list[Anomaly] = []
    for call in range(200):
        found += feed(
            one, 10**6 + call, START_S + 125 * 3600 + 600 + call * 0.1, tool=f"t{call % 3}"
        )
    spike = next(a for a in found if a.detector == "rate_spike")
    assert spike.calibration == "calibrated"
    assert spike.p_value is not None
    assert spike.p_value < 0.05
    assert spike.observed < 30, "long before the minute was over"


def test_a_slow_leak_is_found_as_it_adds_up() -> None:
    one = shard()
    rng = np.random.default_rng(5)
    found: list[Anomaly] = []
    number = 0
    for hour in range(10 * 24):
        leak = 2 if hour >= 8 * 24 else 1
        for minute in range(0, 60, 5):
            number += 1
            size = int(20_000 * rng.uniform(0.8, 1.2) * leak)
            raised = feed(one, number, START_S + hour * 3600 + minute * 60, bytes_out=size)
            if leak > 1:
                found += [a for a in raised if a.detector == "volume_spike"]
    assert found
    first_h = (found[0].time.timestamp() - START_S) / 3600
    assert 8 * 24 <= first_h < 9 * 24


def test_an_extreme_volume_is_worse() -> None:
    one = shard()
    steady(one, 60, bytes_out=500)
    found = feed(one, 10_000, START_S + 3600, bytes_out=10**9)
    assert {a.severity for a in found if a.detector == "volume_spike"} == {Severity.CRITICAL}


def test_an_agent_without_a_past_raises_nothing() -> None:
    one = shard()
    for call in range(200):
        assert feed(one, call, START_S + call * 0.01, tool=f"t{call % 9}", bytes_out=10**9) == []


def test_a_tighter_budget_never_finds_more() -> None:
    found = []
    for budget in (1.0, 10.0, 50.0):
        one = shard(budget)
        rng = np.random.default_rng(11)
        count, number = 0, 0
        for minute in range(2000):
            for _ in range(int(rng.negative_binomial(2, 0.3)) + 1):
                number += 1
                tool = f"t{number % 7}"
                count += len(feed(one, number, START_S + minute * 60, tool=tool))
        found.append(count)
    assert found == sorted(found)
