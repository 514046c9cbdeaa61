from typing import Any

import pytest

from detectors.boundary import Limits
from detectors.budget import Budget
from detectors.finding import Anomaly, Severity
from detectors.shard import Policy, Shard
from tests.kit.events import event, raw_event


def judge(limits: Limits, **fields: Any) -> list[Anomaly]:
    one = Shard("log", 0, Policy.of(Budget(), limits=[limits]))
    return list(one.feed(event(1, **fields), raw_event(1, **fields), 1))


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
