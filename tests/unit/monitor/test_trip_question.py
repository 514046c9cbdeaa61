"""The question whether to cut off, and who or what answers it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from alerting.killswitch import AgentState
from detectors.finding import Severity
from monitor.errors import UsageError
from monitor.jobs import end_overdue
from monitor.ledger import (
    approvals,
    trips,
)
from monitor.store import Store
from tests.kit.anomalies import NOW, anomaly
from tests.kit.autotrip import (
    AGENT,
    WITHIN_S,
    asking,
    audited,
    decide,
    pause,
    state,
    take_in,
    told,
    waiting,
)
from tests.kit.events import START_S


def test_a_question_is_asked_once_and_further_evidence_joins_it(store: Store) -> None:
    take_in(store, asking(), anomaly("a1"), anomaly("a2", detector="loop"))
    take_in(store, asking(), anomaly("a3", detector="rate"), at_s=START_S + 5)
    (asked,), (message,) = waiting(store), told(store, "trip_asked")
    assert (asked.subject, asked.asked_by, asked.anomaly_id) == (AGENT, "rule:ask", "a1")
    assert asked.expires_at == START_S + WITHIN_S
    assert state(store) is AgentState.ACTIVE
    said = dict(message.details)
    assert f"tripswitch approve {asked.approval_id}" in said["to cut it off"]
    assert f"tripswitch decline {asked.approval_id}" in said["to let it be"]
    assert said["if nobody answers"] == "nothing is done"


def test_what_a_person_approves_passes_the_guards(store: Store) -> None:
    guards: dict[str, Any] = {"max_per_hour": 0, "protected_agents": ("pay*",)}
    pause(store)
    take_in(store, asking(**guards), anomaly(calibration="uncalibrated"))
    decide(store, approved=True)
    with store.read() as ledger:
        (trip,) = trips.list_trips(ledger)
    assert (trip.ordered_by, trip.automatic, trip.anomaly_id) == ("os:ann", False, "a1")
    assert state(store) is AgentState.CONTAINED
    again = {"by": "os:b", "approve": True, "reason": "r", "now_s": START_S}
    with store.ledger() as ledger, pytest.raises(UsageError, match="approved by os:ann already"):
        approvals.decide(ledger, trip_approval(store), **again)  # type: ignore[arg-type]


def trip_approval(store: Store) -> str:
    (entry,) = audited(store, "approval asked")
    return str(entry["doc"]["approval_id"])


def test_what_was_declined_is_asked_again_only_with_worse_evidence(store: Store) -> None:
    take_in(store, asking(), anomaly("a1"))
    decide(store, approved=False)
    (message,) = told(store, "trip_not_approved")
    assert "os:ann declined: why" in message.headline
    take_in(store, asking(), anomaly("a2", detector="loop"), at_s=START_S + 20)
    assert not waiting(store)
    worse = anomaly("a3", severity=Severity.CRITICAL)
    take_in(store, asking(), worse, at_s=START_S + 30)
    (asked,) = waiting(store)
    assert asked.anomaly_id == "a3"


def test_in_time_nothing_ends_and_late_approval_is_refused(store: Store) -> None:
    take_in(store, asking(), anomaly())
    assert not end_overdue(store, asking(), START_S + WITHIN_S - 1)
    with pytest.raises(UsageError, match="ran out 5 s ago"):
        decide(store, approved=True, at_s=START_S + WITHIN_S + 5)
    assert state(store) is AgentState.ACTIVE
    assert end_overdue(store, asking(), START_S + WITHIN_S)
    assert not waiting(store)
    (message,) = told(store, "trip_not_approved")
    assert "nobody approved in time" in message.headline
    assert state(store) is AgentState.ACTIVE


def test_at_its_end_a_question_trips_if_that_is_configured(store: Store) -> None:
    how = asking("trip", max_event_age_s=60.0)
    take_in(store, how, anomaly())
    with ThreadPoolExecutor(4) as pool:  # as the daemons that share a store do
        list(pool.map(lambda _: end_overdue(store, how, START_S + WITHIN_S), range(4)))
    with store.read() as ledger:
        (trip,) = trips.list_trips(ledger)
    assert (trip.automatic, trip.ordered_by) == (True, "rule:ask")
    assert "nobody answered in time" in trip.reason
    assert len(audited(store, "approval expired")) == 1


@pytest.mark.parametrize(
    ("guards", "fields", "guard"),
    [
        ({"protected_agents": ("pay*",)}, {}, "protected"),
        ({"max_per_hour": 0}, {}, "cap"),
        ({}, {"calibration": "uncalibrated"}, "uncalibrated"),
        ({"max_event_age_s": 60.0}, {"time": NOW - timedelta(seconds=61)}, "old"),
    ],
)
def test_a_trip_by_time_out_passes_the_guards(
    store: Store, guards: dict[str, Any], fields: dict[str, Any], guard: str
) -> None:
    how = asking("trip", **guards)
    take_in(store, how, anomaly(**fields))
    assert end_overdue(store, how, START_S + WITHIN_S)
    assert state(store) is AgentState.ACTIVE
    assert len(told(store, "trip_held")) == 1
    (entry,) = audited(store, "automatic trip held back")
    assert (entry["doc"]["guard"], entry["actor"]) == (guard, "rule:ask")


def test_an_order_after_the_question_has_answered_it(store: Store) -> None:
    how = asking("trip")
    take_in(store, how, anomaly())
    values: dict[str, Any] = {"agent_id": AGENT, "reason": "r", "receivers": ()}
    with store.ledger() as ledger:
        trips.order_kill(
            ledger, ordered_by="os:a", automatic=False, now_s=START_S + 1, points=(), **values
        )
        trips.order_restore(ledger, ordered_by="os:a", now_s=START_S + 2, probation_s=1.0, **values)
    assert end_overdue(store, how, START_S + WITHIN_S)
    assert state(store) is AgentState.PROBATION, "no question from before undoes a restore"
