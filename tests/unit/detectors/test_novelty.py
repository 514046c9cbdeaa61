from typing import Any

from detectors.budget import Budget
from detectors.finding import Anomaly, Severity
from detectors.shard import Policy, Shard
from tests.kit.events import START_S, event, raw_event

DAY_S = 86_400.0


def shard() -> Shard:
    one = Shard("log", 0, Policy.of(Budget(50.0)))
    for number in range(600):
        at = START_S + number * 600
        assert feed(one, number, at, target=f"account-{number % 5}") == []
    return one


def feed(one: Shard, number: int, time_s: float, **fields: Any) -> list[Anomaly]:
    raw = raw_event(number, time_s, **fields)
    return list(one.feed(event(number, time_s, **fields), raw, number))


def test_a_new_tool_alarms_once_a_run() -> None:
    one, at = shard(), START_S + 600 * 600
    found = feed(one, 1000, at, tool="wire_money", trace_id="r1")
    assert [a.detector for a in found] == ["new_tool"]
    assert found[0].severity is Severity.HIGH, "wiring money reaches outside"
    assert found[0].p_value is not None
    assert found[0].p_value <= found[0].threshold
    assert "wire_money" in found[0].text
    assert feed(one, 1001, at + 1, tool="wire_money", trace_id="r1", target="b") == []
    again = feed(one, 1002, at + 2, tool="wire_money", trace_id="r2")
    assert [a.detector for a in again] == ["new_tool"], "still unknown in the next run"


def test_a_new_target_alarms_and_says_of_which_tool() -> None:
    found = feed(shard(), 1000, START_S + 600 * 600, target="mallory")
    assert [a.detector for a in found] == ["new_target"]
    assert found[0].unit == "new targets per use of read_ledger"
    assert "“mallory”" in found[0].text


def test_one_tools_targets_do_not_excuse_anothers() -> None:
    one = Shard("log", 0, Policy.of(Budget(50.0)))
    for number in range(600):
        for call, (tool, target) in enumerate((("read", f"account-{number % 5}"), ("pay", "acme"))):
            at = START_S + number * 600 + call
            assert feed(one, number * 2 + call, at, tool=tool, target=target) == []
    found = feed(one, 2000, START_S + 600 * 600, tool="pay", target="account-1")
    assert [a.detector for a in found] == ["new_target"]


def test_several_runs_over_time_make_it_normal() -> None:
    one = shard()
    for day in range(4):
        at = START_S + 600 * 600 + day * DAY_S
        assert feed(one, 1000 + day, at, target="new-account", trace_id=f"r{day}")
    later = START_S + 600 * 600 + 4 * DAY_S
    assert feed(one, 2000, later, target="new-account", trace_id="r9") == []


def test_an_explorer_may_explore() -> None:
    one = Shard("log", 0, Policy.of(Budget(50.0)))
    found = []
    for number in range(800):
        found += feed(one, number, START_S + number * 60, target=f"page-{number}")
    assert found == []
