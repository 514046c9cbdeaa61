from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest

from detectors.budget import Budget
from detectors.finding import Anomaly, Severity
from detectors.hours import Hours
from detectors.limits import Limits, Permit
from detectors.shard import Policy, Shard
from tests.kit.events import START_S, event, raw_event


def judge(*limits: Limits, time_s: float = START_S, **fields: Any) -> list[Anomaly]:
    one = Shard("log", 0, Policy.of(Budget(), limits=limits))
    return list(one.feed(event(1, time_s, **fields), raw_event(1, time_s, **fields), 1))


@pytest.mark.parametrize(
    ("limits", "fields", "said"),
    [
        (Limits(tools=("read_*",)), {"tool": "wire"}, "the tool “wire”"),
        (Limits(targets=("*@acme.com",)), {"target": "m@evil.com"}, "the target “m@evil.com”"),
        (Limits(data_classes=("public",)), {"data_class": "restricted"}, "data class"),
        (Limits(never=("delete",)), {"action": "delete"}, "the verb “delete”"),
        (Limits(never=("destructive",)), {"tool": "drop_table"}, "the verb “destructive”"),
    ],
)
def test_a_breach_fires_at_the_first_event(
    limits: Limits, fields: dict[str, Any], said: str
) -> None:
    (anomaly,) = judge(limits, **fields)
    assert anomaly.detector == "boundary"
    assert anomaly.p_value is None
    assert anomaly.calibration == "declared"
    assert anomaly.severity is Severity.HIGH
    assert said in anomaly.text


@pytest.mark.parametrize(
    ("limits", "fields"),
    [
        (Limits(tools=("read_*",)), {}),
        (Limits(tools=("read_*",)), {"tool": None}),
        (Limits(targets=("a*",)), {"target": None}),
        (Limits(data_classes=("public",)), {}),
        (Limits(agents=("support-*",), tools=()), {}),
        (Limits(roles=("support",), tools=()), {"role": "payroll"}),
        (Limits(roles=("*",), tools=()), {"role": None}),
    ],
)
def test_what_is_allowed_or_not_covered_stays_quiet(limits: Limits, fields: dict[str, Any]) -> None:
    assert judge(limits, **fields) == []


def test_a_refused_attempt_counts_and_is_said_to_be_one() -> None:
    (anomaly,) = judge(Limits(tools=()), status="denied")
    assert anomaly.text.startswith("tried ")


def test_one_breach_of_several_boundaries_is_told_once_at_its_worst() -> None:
    mild, shadow = Limits(tools=(), severity=Severity.LOW), Limits(tools=(), shadow=True)
    (anomaly,) = judge(shadow, mild, Limits(tools=(), severity=Severity.CRITICAL))
    assert anomaly.severity is Severity.CRITICAL
    assert not anomaly.shadow
    (anomaly,) = judge(shadow, mild)
    assert (anomaly.severity, anomaly.shadow) == (Severity.LOW, False)


def test_several_boundaries_all_apply() -> None:
    found = judge(Limits(tools=("read_*",), targets=()), Limits(tools=()))
    assert sorted(a.text.split("the ")[1].split(" ")[0] for a in found) == ["target", "tool"]


def test_not_to_name_its_role_takes_an_agent_out_of_no_boundary() -> None:
    limits = Limits(roles=("payroll",), never=("destructive",))
    shard = Shard("log", 0, Policy.of(Budget(), limits=[limits]))
    assert not shard.feed(event(1, role="payroll"), raw_event(1, role="payroll"), 1)
    (found,) = shard.feed(event(2, tool="drop_table"), raw_event(2, tool="drop_table"), 2)
    assert (found.detector, found.role) == ("boundary", "payroll")


def test_a_breach_in_shadow_is_marked_and_takes_nothing_from_one_that_alarms() -> None:
    until = Permit(until_s=START_S + 60, reason="drill", tools=("read_ledger",))
    limits = [Limits(tools=(), shadow=True), Limits(tools=(), permits=(until,))]
    shard = Shard("log", 0, Policy.of(Budget(), limits=limits))
    fields = {"trace_id": "t"}
    (first,) = shard.feed(event(1, START_S, **fields), raw_event(1, START_S, **fields), 1)
    (later,) = shard.feed(event(2, START_S + 60, **fields), raw_event(2, START_S + 60, **fields), 2)
    assert (first.shadow, later.shadow) == (True, False)
    assert first.anomaly_id != later.anomaly_id


def test_acting_outside_the_hours_is_a_breach_said_by_their_clock() -> None:
    limits = Limits(hours=Hours.parse(["Mon-Fri 08:00-18:00"], UTC))
    (anomaly,) = judge(limits)
    assert "Monday 02:40 lies beyond the hours" in anomaly.text
    assert "Mon-Fri 08:00-18:00 UTC" in anomaly.text
    assert judge(limits, time_s=START_S + 6 * 3600) == []


@pytest.mark.parametrize(
    ("limits", "permit", "fields"),
    [
        (Limits(tools=()), {"tools": ("read_*",)}, {"target": None}),
        (Limits(targets=()), {"targets": ("account-*",)}, {}),
        (Limits(data_classes=()), {"data_classes": ("restricted",)}, {"data_class": "restricted"}),
        (Limits(never=("delete",)), {"verbs": ("del*",)}, {"action": "delete", "effect": "read"}),
        (
            Limits(hours=Hours.parse(["Sat"], UTC)),
            {"hours": Hours.parse(["Mon"], UTC)},
            {},
        ),
    ],
)
def test_a_permit_allows_until_it_ends_by_event_time(
    limits: Limits, permit: dict[str, Any], fields: dict[str, Any]
) -> None:
    lasting = Permit(since_s=START_S, until_s=START_S + 100, reason="month end", **permit)
    limits = replace(limits, permits=(lasting,))
    assert judge(limits, time_s=START_S + 99.9, **fields) == []
    (early,) = judge(limits, time_s=START_S - 1, **fields)
    (late,) = judge(limits, time_s=START_S + 100, **fields)
    assert early.text.endswith("(“month end”) begins 2026-02-02T02:40:00+00:00")
    assert late.text.endswith("(“month end”) ended 2026-02-02T02:41:40+00:00")
    assert late.evidence == ("the permit for it (“month end”) ended 2026-02-02T02:41:40+00:00",)


def test_a_permit_helps_only_whom_it_names_and_with_what_it_names() -> None:
    permit = Permit(until_s=START_S + 9, reason="r", agents=("payroll-2",), targets=("*",))
    limits = Limits(targets=("x",), permits=(permit,))
    assert judge(limits, agent_id="payroll-2") == []
    (anomaly,) = judge(limits)
    assert "permit" not in anomaly.text
    assert len(judge(replace(limits, tools=()), agent_id="payroll-2")) == 1


def test_boundary_and_permit_allow_a_list_of_addresses_together() -> None:
    permit = Permit(until_s=START_S + 9, reason="audit", targets=("*@auditor.example",))
    limits = Limits(targets=("*@corp.example",), permits=(permit,))
    assert judge(limits, target="a@corp.example, b@auditor.example") == []
    assert len(judge(limits, target="a@corp.example, b@evil.example")) == 1


def test_what_was_alarmed_on_is_not_learned() -> None:
    shard = Shard("log", 0, Policy.of(Budget(), limits=[Limits(targets=())]))
    assert shard.feed(event(1), raw_event(1), 1)[0].held is not None
    shadow = Shard("log", 0, Policy.of(Budget(), limits=[Limits(targets=(), shadow=True)]))
    assert shadow.feed(event(1), raw_event(1), 1)[0].held is None
