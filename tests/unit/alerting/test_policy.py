from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.alert import Alert
from alerting.policy import Decision, Guards, Rule, decide_trip, fold
from detectors.finding import Anomaly, Severity
from tests.kit.anomalies import NOW, anomaly

QUIET_S = 3600.0


def opened(first: Anomaly | None = None) -> Alert:
    return fold(None, first or anomaly(), NOW, QUIET_S).alert


def test_the_first_anomaly_opens_an_alert() -> None:
    folded = fold(None, anomaly(), NOW, QUIET_S)
    assert (folded.news, folded.closed) == ("opened", None)
    assert folded.alert.worst.anomaly_id == "a1"
    assert (folded.alert.state, folded.alert.anomaly_count) == ("open", 1)


def test_further_anomalies_join_it_in_silence() -> None:
    folded = fold(opened(), anomaly("a2", detector="loop"), NOW, QUIET_S)
    assert folded.news is None
    assert folded.alert.anomaly_count == 2
    assert folded.alert.detectors == ("boundary", "loop")


def test_a_rise_is_news_and_speaks_for_the_alert() -> None:
    folded = fold(opened(), anomaly("a2", severity=Severity.CRITICAL), NOW, QUIET_S)
    assert folded.news == "raised"
    assert folded.alert.worst.anomaly_id == "a2"


def test_after_quiet_it_is_another_story() -> None:
    later = NOW + timedelta(seconds=QUIET_S + 1)
    folded = fold(opened(), anomaly("a2"), later, QUIET_S)
    assert folded.news == "opened"
    assert folded.closed is not None
    assert (folded.closed.state, folded.closed.resolved_by) == ("resolved", "quiet")
    assert folded.closed.resolved_at == NOW + timedelta(seconds=QUIET_S)
    assert folded.alert.alert_id != folded.closed.alert_id


@given(st.lists(st.tuples(st.sampled_from(Severity), st.integers(0, 3000)), min_size=1))
def test_severity_only_rises_and_is_told_only_then(steps: list[tuple[Severity, int]]) -> None:
    current, now, told = None, NOW, []
    for number, (severity, wait_s) in enumerate(steps):
        now += timedelta(seconds=wait_s)
        folded = fold(current, anomaly(f"a{number}", severity=severity), now, QUIET_S)
        if current is not None:
            assert folded.alert.severity >= current.severity
            assert (folded.news == "raised") == (folded.alert.severity > current.severity)
        if folded.news:
            told.append(folded.alert.severity)
        current = folded.alert
    assert len(told) <= len(Severity)


ENFORCE = Rule("cut", enforce=True, severity=Severity.HIGH)
OBSERVE = Rule("look", enforce=False, severity=Severity.HIGH)


def decide(
    rules: list[Rule], found: Anomaly, guards: Guards | None = None, tripped: int = 0
) -> Decision | None:
    return decide_trip(rules, guards or Guards(), found, opened(found), NOW, tripped)


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
    ],
)
def test_a_rule_needs_all_its_conditions(rule: Rule, fields: dict[str, Any], matches: bool) -> None:
    assert rule.matches(anomaly(**fields)) is matches


def test_observe_says_and_enforce_does() -> None:
    observed, enforced = decide([OBSERVE], anomaly()), decide([OBSERVE, ENFORCE], anomaly())
    assert observed is not None
    assert enforced is not None
    assert (observed.outcome, enforced.outcome) == ("would_trip", "trip")
    assert "rule cut" in enforced.reason


@pytest.mark.parametrize(
    ("guards", "fields", "tripped", "said"),
    [
        (Guards(protected_agents=("pay*",)), {}, 0, "protected"),
        (Guards(), {"calibration": "uncalibrated"}, 0, "uncalibrated"),
        (Guards(), {"time": NOW - timedelta(hours=1)}, 0, "3600 s old"),
        (Guards(max_per_hour=2), {}, 2, "cap"),
    ],
)
def test_a_guard_holds_an_automatic_trip_and_says_why(
    guards: Guards, fields: dict[str, Any], tripped: int, said: str
) -> None:
    held = decide([ENFORCE], anomaly(**fields), guards, tripped)
    assert held is not None
    assert held.outcome == "held"
    assert said in held.reason
    assert decide([OBSERVE], anomaly(**fields), guards, tripped) is None
