"""A detector that raises an error loses no event, and stops no other."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from baselines.observation import Observation
from baselines.rhythm import DAY_S
from detectors.budget import Budget
from detectors.finding import Anomaly, Finding
from detectors.policy import Policy
from detectors.shard import Shard
from detectors.silence import Silence
from tests.kit.compiled import is_compiled
from tests.kit.events import START_S, event, raw_event
from tests.kit.week import MONDAY_S

POLICY = Policy.of(Budget(1.0))


class Broken:
    """Raises an error at each event of a tool."""

    name = "broken"

    def judge(self, seen: Observation) -> Sequence[Finding]:
        if seen.tool == "poison":
            raise KeyError(f"the words of {seen.event.target}")
        return ()


def looping(shard: Shard, tool: str) -> list[Anomaly]:
    found: list[Anomaly] = []
    for number in range(6):
        fields = {"tool": tool, "target": "SECRET", "trace_id": "t"}
        raw = raw_event(number, START_S + number, **fields)
        found += shard.feed(event(number, START_S + number, **fields), raw, number)
    return found


def test_the_others_find_what_they_find_and_the_event_is_learned() -> None:
    policy = replace(POLICY, detectors=(Broken(), *POLICY.detectors, Broken()))
    shard, whole = Shard("log", 0, policy), Shard("log", 0, POLICY)
    assert looping(shard, "poison") == looping(whole, "poison") != []
    (profile,), (other,) = shard.profiles.values(), whole.profiles.values()
    assert profile.dump() == other.dump()
    fault = shard.faults["broken"]
    assert (fault.count, fault.offset) == (12, 5)
    assert fault.what.startswith("KeyError in detectors/test_fault.py:")
    assert "SECRET" not in fault.what
    assert looping(Shard("log", 0, policy), "fine") == looping(Shard("log", 0, POLICY), "fine")


@pytest.mark.skipif(is_compiled(), reason="what is compiled cannot be broken from outside")
def test_a_detector_of_silence_that_is_broken_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    shard = Shard("log", 0, POLICY)
    monkeypatch.setattr(Silence, "look", fail)
    for number in range(int(7 * DAY_S / 300)):
        for agent in ("a", "b") if number < 1800 else ("b",):
            time_s = MONDAY_S + number * 300
            fields = {"agent_id": agent, "trace_id": None}
            shard.feed(event(number, time_s, **fields), raw_event(number, time_s, **fields), number)
    assert set(shard.faults) == {"silence"}
    assert shard.profiles["b"].events == 2016
    monkeypatch.setattr(Silence, "note", fail)
    count = shard.faults["silence"].count
    late = event(9999, MONDAY_S + 8 * DAY_S, agent_id="c")
    shard.feed(late, raw_event(9999, MONDAY_S + 8 * DAY_S, agent_id="c"), 9999)
    assert shard.faults["silence"].count > count
    assert shard.profiles["c"].events == 1
