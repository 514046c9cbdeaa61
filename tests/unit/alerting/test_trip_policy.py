from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.alert import Alert
from alerting.policy import fold
from alerting.trip_policy import Decision, Guards, Lately, Rule, decide_trip
from detectors.finding import Anomaly, Severity
from tests.kit.anomalies import NOW, anomaly

ENFORCE = Rule("cut", mode="enforce", severity=Severity.HIGH)
APPROVE = Rule("ask", mode="approve", severity=Severity.HIGH)
OBSERVE = Rule("look", severity=Severity.HIGH)


def opened(first: Anomaly) -> Alert:
    return fold(None, first, NOW, 3600.0).alert


def decide(
    rules: list[Rule],
    found: Anomaly,
    guards: Guards | None = None,
    lately: Lately | None = None,
) -> Decision | None:
    given = (guards or Guards(), found, opened(found), NOW, lately or Lately())
    return decide_trip(rules, *given)


@pytest.mark.parametrize(
    ("rule", "fields", "matches"),
    [
        (Rule("r"), {"severity": Severity.CRITICAL}, True),
        (Rule("r"), {}, False),
        (Rule("r", severity=Severity.LOW, detectors=("bound*",)), {}, True),
        (Rule("r", severity=Severity.LOW, detectors=("loop",)), {}, False),
        (Rule("r", severity=Severity.LOW, roles=("payroll",)), {}, True),
        (Rule("r", severity=Severity.LOW, roles=("payroll",)), {"role": None}, False),
        (Rule("r", severity=Severity.LOW, agents=("pay*",)), {}, True),
        (Rule("r", severity=Severity.LOW, agents=("x*",)), {}, False),
        (Rule("r", severity=Severity.LOW, data_classes=("restricted",)), {}, False),
        (
            Rule("r", severity=Severity.LOW, data_classes=("confidential", "restricted")),
            {"data_class": "restricted"},
            True,
        ),
    ],
)
def test_a_rule_needs_all_its_conditions(rule: Rule, fields: dict[str, Any], matches: bool) -> None:
    assert rule.matches(anomaly(**fields)) is matches


@pytest.mark.parametrize(
    ("rules", "outcome", "name"),
    [
        ([OBSERVE], "would_trip", "look"),
        ([OBSERVE, APPROVE], "ask", "ask"),
        ([OBSERVE, APPROVE, ENFORCE], "trip", "cut"),
    ],
)
def test_the_strongest_mode_decides(rules: list[Rule], outcome: str, name: str) -> None:
    decided = decide(rules, anomaly())
    assert decided is not None
    assert (decided.outcome, decided.rule.name) == (outcome, name)
    assert f"rule {name}" in decided.reason


@pytest.mark.parametrize(
    ("guards", "fields", "lately", "guard", "said"),
    [
        (Guards(protected_agents=("pay*",)), {}, Lately(), "protected", "protected"),
        (Guards(), {"calibration": "uncalibrated"}, Lately(), "uncalibrated", "uncalibrated"),
        (Guards(), {"time": NOW - timedelta(hours=1)}, Lately(), "old", "3600 s old"),
        (Guards(max_per_hour=2), {}, Lately(trips=2), "cap", "2 automatic trips"),
        (Guards(), {}, Lately(paused="until noon"), "paused", "until noon"),
        (Guards(), {}, Lately(restored_at=NOW), "restored", "a person restored"),
    ],
)
def test_a_guard_holds_what_nobody_decided_and_says_why(
    guards: Guards, fields: dict[str, Any], lately: Lately, guard: str, said: str
) -> None:
    held = decide([ENFORCE], anomaly(**fields), guards, lately)
    assert held is not None
    assert held.outcome == "held"
    assert held.objection is not None
    assert held.objection.guard == guard
    assert said in held.reason
    assert decide([OBSERVE], anomaly(**fields), guards, lately) is None
    asked = decide([APPROVE], anomaly(**fields), guards, lately)
    assert asked is not None
    assert asked.outcome == "ask", "a person decides: no guard holds a question"


def test_just_below_each_guard_it_trips() -> None:
    guards = Guards(max_per_hour=2, protected_agents=("x*",), max_event_age_s=60.0)
    lately = Lately(trips=1, restored_at=NOW - timedelta(seconds=61))
    decided = decide([ENFORCE], anomaly(time=NOW - timedelta(seconds=60)), guards, lately)
    assert decided is not None
    assert decided.outcome == "trip"


@given(st.text(), st.text(min_size=1), st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_share_chooses_the_same_agents_and_keeps_them_as_it_grows(
    name: str, agent_id: str, one: float, other: float
) -> None:
    small, large = sorted((one, other))
    chosen = Rule(name, mode="enforce", share=small).mode_for(agent_id)
    assert chosen == Rule(name, mode="enforce", share=small).mode_for(agent_id)
    if chosen == "enforce":
        assert Rule(name, mode="enforce", share=large).mode_for(agent_id) == "enforce"


def test_a_share_is_about_that_part_of_the_agents_and_not_the_same_for_each_rule() -> None:
    agents = [f"agent-{number}" for number in range(5000)]
    chosen = {
        name: {a for a in agents if Rule(name, mode="approve", share=0.1).mode_for(a) == "approve"}
        for name in ("one", "two")
    }
    assert all(400 < len(some) < 600 for some in chosen.values())
    assert len(chosen["one"] & chosen["two"]) < 100


def test_an_agent_outside_the_share_is_observed() -> None:
    rule = Rule("cut", mode="enforce", severity=Severity.HIGH, share=0.001)
    assert rule.mode_for("payroll-1") == "observe"
    decided = decide([rule], anomaly())
    assert decided is not None
    assert decided.outcome == "would_trip"
