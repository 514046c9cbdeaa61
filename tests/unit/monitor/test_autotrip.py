"""Automatic trips over a real ledger: modes, questions, guards, and the pause."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from alerting.killswitch import AgentState
from alerting.message import Message
from alerting.trip_policy import Guards, OnTimeout, Rule
from detectors.finding import Anomaly, Severity
from monitor.errors import NotFoundError, UsageError
from monitor.jobs import end_overdue
from monitor.ledger import (
    agents,
    approvals,
    audit,
    intake,
    pauses,
    trip_guards,
    trip_question,
    trips,
)
from monitor.ledger.approvals import Approval
from monitor.ledger.response import Response
from monitor.store import Store
from monitor.store.schema import outbox
from tests.kit.anomalies import NOW, anomaly
from tests.kit.events import START_S

ENFORCE = Rule("cut", mode="enforce", severity=Severity.HIGH)
WITHIN_S = 900.0
AGENT = "payroll-1"


def response(*rules: Rule, **guards: Any) -> Response:
    return Response(rules or (ENFORCE,), Guards(**guards), ["terminal"], ["registry"], 3600.0)


def asking(on_timeout: OnTimeout = "nothing", **guards: Any) -> Response:
    rule = Rule("ask", mode="approve", severity=Severity.HIGH, approve_within_s=WITHIN_S)
    return response(replace(rule, on_timeout=on_timeout), **guards)


def take_in(
    store: Store, how: Response, *found: Anomaly, at_s: float = START_S, read_at_s: float = START_S
) -> None:
    with store.ledger() as ledger:
        assert intake.record(ledger, found, how, at_s, read_at_s) == len(found)


def told(store: Store, kind: str) -> list[Message]:
    with store.read() as ledger:
        docs = ledger.execute(select(outbox.c.doc).order_by(outbox.c.seq)).scalars().all()
    messages = [Message.model_validate_json(doc) for doc in docs]
    return [message for message in messages if message.kind == kind]


def audited(store: Store, action: str) -> list[dict[str, Any]]:
    with store.read() as ledger:
        assert audit.verify(ledger) is None
        return [entry for entry in audit.entries(ledger, 1000) if entry["action"] == action]


def state(store: Store, agent_id: str = AGENT) -> AgentState:
    with store.read() as ledger:
        return agents.state_of(ledger, agent_id)


def waiting(store: Store) -> list[Approval]:
    with store.read() as ledger:
        return approvals.list_waiting(ledger)


def decide(store: Store, approved: bool, at_s: float = START_S + 10) -> None:
    (asked,) = waiting(store)
    with store.ledger() as ledger:
        decided = approvals.decide(
            ledger, asked.approval_id, by="os:ann", approve=approved, reason="why", now_s=at_s
        )
        if approved:
            trip_question.carry_out_approved(ledger, decided, ["registry"], ["terminal"], at_s)
        else:
            trip_question.tell_not_approved(ledger, decided, ["terminal"], at_s)


def pause(store: Store, by: str = "os:ann", at_s: float = START_S - 1, **changes: Any) -> None:
    values: dict[str, Any] = {"reason": "release", "lasts_s": 3600.0, **changes}
    with store.ledger() as ledger:
        pauses.pause(ledger, by=by, now_s=at_s, receivers=["terminal"], **values)


def resume(store: Store, at_s: float) -> pauses.Pause:
    with store.ledger() as ledger:
        return pauses.resume(
            ledger, reason="it is out", by="os:bob", now_s=at_s, receivers=["terminal"]
        )


def test_enforce_trips_at_once_with_its_evidence_and_times(store: Store) -> None:
    seen = anomaly(time=NOW - timedelta(seconds=3))
    take_in(store, response(), seen, read_at_s=START_S - 1)
    with store.read() as ledger:
        (trip,) = trips.list_trips(ledger)
    assert (trip.automatic, trip.ordered_by, trip.state) == (True, "rule:cut", "contained")
    assert trip.anomaly_id == seen.anomaly_id
    assert (trip.anomaly_to_read_s, trip.anomaly_to_order_s) == (2.0, 3.0)


def test_an_agent_that_is_cut_off_already_is_not_asked_about_or_held(store: Store) -> None:
    take_in(store, response(), anomaly("a1"))
    observe = Rule("look", severity=Severity.HIGH)
    for number, how in enumerate((response(max_per_hour=0), asking(), response(observe))):
        take_in(store, how, anomaly(f"b{number}"))
    assert not waiting(store)
    assert not [m for kind in ("trip_held", "trip_asked", "would_trip") for m in told(store, kind)]


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


def test_evidence_from_before_a_restore_does_not_trip_again(store: Store) -> None:
    take_in(store, response(), anomaly("a1"))
    with store.ledger() as ledger:
        trips.order_restore(
            ledger, agent_id=AGENT, reason="r", ordered_by="os:a", now_s=START_S + 10,
            probation_s=60.0, receivers=(),
        )  # fmt: skip
    late = anomaly("a2", time=NOW + timedelta(seconds=9))
    take_in(store, response(), late, at_s=START_S + 20)
    assert state(store) is AgentState.PROBATION
    assert "restored the agent after" in told(store, "trip_held")[0].headline
    anew = anomaly("a3", time=NOW + timedelta(seconds=11))
    take_in(store, response(), anew, at_s=START_S + 20)
    assert state(store) is AgentState.CONTAINED


def test_what_a_guard_held_is_told_once_per_alert_rule_and_guard(store: Store) -> None:
    for number in range(3):
        take_in(store, response(max_per_hour=0), anomaly(f"a{number}"))
    take_in(store, response(protected_agents=("pay*",)), anomaly("b"))
    other = replace(ENFORCE, name="other")
    take_in(store, response(other, max_per_hour=0), anomaly("c"))
    held = [message.headline for message in told(store, "trip_held")]
    assert len(held) == len(audited(store, "automatic trip held back")) == 3
    assert "cap" in held[0]
    assert "protected" in held[1]
    assert "rule other" in held[2]


def test_the_cap_holds_for_all_processes_on_one_store(store: Store) -> None:
    def one(number: int) -> None:
        seen = anomaly(f"a{number}", agent_id=f"agent-{number}")
        take_in(store, response(max_per_hour=3), seen)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, range(12)))
    with store.read() as ledger:
        assert trips.automatic_since(ledger, START_S - trip_guards.HOUR_S) == 3
    assert len(told(store, "trip_held")) == 9


def test_a_pause_holds_every_automatic_trip_and_says_what_it_held(store: Store) -> None:
    pause(store)
    take_in(store, response(), anomaly("a1"), anomaly("a2"))
    take_in(store, response(), anomaly("b1", agent_id="other"))
    assert state(store) is AgentState.ACTIVE
    assert [m.agent_id for m in told(store, "trip_held")] == [AGENT, "other"]
    assert "paused until" in told(store, "trip_held")[0].headline
    ended = resume(store, START_S + 30)
    assert (ended.held, ended.ended_by) == (2, "os:bob")
    begun, over = told(store, "autotrip")
    assert "release" in begun.headline
    assert dict(over.details)["held back meanwhile"] == "2 trips"
    assert len(audited(store, "automatic trips paused")) == 1
    assert audited(store, "automatic trips resumed")[0]["doc"]["held"] == 2
    take_in(store, response(), anomaly("a3"), at_s=START_S + 40)
    assert state(store) is AgentState.CONTAINED


def test_a_pause_ends_by_itself_and_that_is_told_once(store: Store) -> None:
    pause(store, lasts_s=60.0, at_s=START_S)
    assert not end_overdue(store, response(), START_S + 59)
    with store.read() as ledger:
        assert pauses.current(ledger, START_S + 60) is None
    take_in(store, response(), anomaly(), at_s=START_S + 60)
    assert state(store) is AgentState.CONTAINED, "before anybody has noted its end"
    assert end_overdue(store, response(), START_S + 61)
    assert not end_overdue(store, response(), START_S + 62)
    (ended,) = audited(store, "automatic trips resumed")
    assert (ended["actor"], ended["doc"]["ended_at"]) == ("tripswitch", START_S + 60)
    assert len(told(store, "autotrip")) == 2


def test_a_later_pause_takes_the_place_of_the_one_that_is_on(store: Store) -> None:
    pause(store, lasts_s=60.0, at_s=START_S)
    pause(store, lasts_s=600.0, at_s=START_S + 1, reason="it takes longer")
    with store.read() as ledger:
        on = pauses.current(ledger, START_S + 100)
    assert on is not None
    assert on.reason == "it takes longer"
    assert resume(store, START_S + 100).pause_id == on.pause_id


@pytest.mark.parametrize("changes", [{"by": "rule:x"}, {"reason": " "}])
def test_only_a_person_with_a_reason_pauses(store: Store, changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        pause(store, **changes)


def test_without_a_pause_there_is_nothing_to_resume(store: Store) -> None:
    with pytest.raises(NotFoundError, match="not paused"):
        resume(store, START_S)


def test_a_person_cuts_off_whatever_is_paused_or_protected(store: Store) -> None:
    pause(store)
    with store.ledger() as ledger:
        trip = trips.order_kill(
            ledger, agent_id=AGENT, reason="r", ordered_by="os:a", automatic=False,
            now_s=START_S, points=(), receivers=(),
        )  # fmt: skip
    assert trip.state is AgentState.CONTAINED
