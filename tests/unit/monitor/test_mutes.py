"""What nobody is told of for a while."""

from collections import Counter
from typing import Any

import pytest

from alerting.killswitch import AgentState
from alerting.mute import Matcher
from alerting.trip_policy import Guards, Rule
from detectors.finding import Severity
from monitor.errors import UsageError
from monitor.jobs import end_overdue
from monitor.ledger import (
    agents,
    alerts,
    mutes,
)
from monitor.ledger.response import Response
from monitor.store import Store
from tests.kit.events import START_S
from tests.kit.incidents import (
    HOUR_S,
    RESPONSE,
    alert_of,
    history,
    kinds,
    messages,
    mute,
    odd,
    record,
)


def test_a_mute_keeps_back_counts_and_lists(store: Store) -> None:
    mute_id = mute(store, agent="pay*", lasts_s=HOUR_S)
    record(store, odd("pay-1", severity=Severity.HIGH), odd("pay-2", severity=Severity.LOW))
    record(store, odd("other"), odd("pay-3", detector="boundary"))
    assert sorted(m.agent_id for m in messages(store)) == ["other", "pay-3"]
    with store.read() as ledger:
        assert {a.agent_id for a in alerts.newest(ledger, open_only=True)} == {"other", "pay-3"}
        assert len(alerts.newest(ledger, open_only=False)) == 4
        assert mutes.get(ledger, mute_id).hidden == 2
        assert alerts.count_muted(ledger) == 2
    assert history(store, "pay-1")[-1] == ("muted", f"mute:{mute_id}")
    assert not end_overdue(store, RESPONSE, START_S + HOUR_S - 1)
    assert end_overdue(store, RESPONSE, START_S + HOUR_S)
    assert not end_overdue(store, RESPONSE, START_S + HOUR_S)
    told = messages(store)[2:]
    assert Counter(m.kind for m in told) == {"mute_ended": 1, "opened": 1}
    (out,) = [m for m in told if m.kind == "opened"]
    assert out.agent_id == "pay-1", "open and high"
    (ended,) = [m for m in told if m.kind == "mute_ended"]
    assert dict(ended.details)["kept back"] == "2 alerts"
    assert any("pay-2" in value for _, value in ended.details)
    assert alert_of(store, "pay-1").muted_by is None


def test_the_next_anomaly_after_a_mute_brings_its_alert_out(store: Store) -> None:
    mute_id = mute(store, role="role of a")
    record(store, odd("a", severity=Severity.LOW))
    with store.ledger() as ledger:
        ended = mutes.unmute(
            ledger, mute_id, reason="done", by="os:ann", receivers=[], now_s=START_S + 1
        )
    assert ended.ended_by == "os:ann"
    assert kinds(store) == []
    record(store, odd("a", "b", severity=Severity.LOW), at_s=START_S + 2)
    assert kinds(store) == ["opened"]


def test_a_mute_needs_a_person_a_reason_and_something_to_be_about(store: Store) -> None:
    good: dict[str, Any] = {"reason": "r", "by": "os:ann", "now_s": START_S, "lasts_s": 1.0}
    for matcher, changed in (
        (Matcher(), {}),
        (Matcher(agent="a"), {"by": "rule:x"}),
        (Matcher(agent="a"), {"reason": " "}),
    ):
        with store.ledger() as ledger, pytest.raises(UsageError):
            mutes.mute(ledger, matcher, **{**good, **changed})


def test_a_muted_anomaly_still_cuts_its_agent_off(store: Store) -> None:
    mute(store, agent="a")
    rule = Rule("cut", mode="enforce", severity=Severity.CRITICAL)
    how = Response([rule], Guards(), ["slack"], ["registry"], 3600.0)
    record(store, odd("a", severity=Severity.CRITICAL), how=how)
    with store.read() as ledger:
        assert agents.state_of(ledger, "a") is AgentState.CONTAINED
    assert {"trip_ordered", "trip_contained"} <= set(kinds(store))
