from typing import Any

from detectors.budget import Budget
from detectors.finding import Anomaly, Severity
from detectors.shard import Policy, Shard
from tests.kit.events import event, raw_event

POLICY = Policy.of(Budget(), declared=("payroll-*", "support-1"))


def feed(shard: Shard, number: int, **fields: Any) -> list[Anomaly]:
    found = shard.feed(event(number, **fields), raw_event(number, **fields), number)
    return [anomaly for anomaly in found if anomaly.detector == "new_agent"]


def test_an_identity_nobody_declared_alarms_at_its_first_event_and_once() -> None:
    shard = Shard("log", 0, POLICY)
    (anomaly,) = feed(shard, 1, agent_id="payrol1-7", role="payroll", user_id="u")
    assert anomaly.severity is Severity.HIGH
    assert anomaly.calibration == "declared"
    assert anomaly.p_value is None
    assert "role “payroll” that nobody declared" in anomaly.text
    assert "on behalf of “u”" in anomaly.text
    assert [feed(shard, n, agent_id="payrol1-7") for n in range(2, 9)] == [[]] * 7


def test_each_undeclared_agent_has_an_anomaly_of_its_own() -> None:
    shard = Shard("log", 0, POLICY)
    ids = {feed(shard, n, agent_id=f"shadow-{n}")[0].anomaly_id for n in range(5)}
    assert len(ids) == 5
    again = Shard("other", 3, POLICY)
    assert feed(again, 9, agent_id="shadow-1")[0].anomaly_id in ids, "wherever it is seen"


def test_the_declared_are_quiet_and_with_nothing_declared_all_are() -> None:
    shard = Shard("log", 0, POLICY)
    assert feed(shard, 1, agent_id="payroll-9") == feed(shard, 2, agent_id="support-1") == []
    assert feed(Shard("log", 0, Policy.of(Budget())), 1, agent_id="anybody") == []
