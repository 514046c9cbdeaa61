"""Single agents under an order about many: a person cuts one off beyond it, or takes one out."""

import pytest

from alerting.killswitch import BLOCKED, AgentState
from monitor.errors import NotFoundError
from monitor.ledger import approvals, audit, trip_question, trips
from monitor.store import Store
from tests.kit.holds import (
    NOW,
    POINTS,
    TOLD,
    acting,
    allows,
    grant,
    headlines,
    kill,
    know,
    lift,
    progress,
    put_on,
    restore,
    roundup,
    state_of,
)


def test_lifting_leaves_alone_who_was_cut_off_for_a_reason_of_its_own(store: Store) -> None:
    know(store, "payroll", "p-1", "p-2")
    kill(store, "p-1")
    roundup(store).begin(put_on(store, "payroll"))
    roundup(store).carry_out(lift(store, "payroll"))
    assert state_of(store, "p-1") in BLOCKED
    assert state_of(store, "p-2") is AgentState.PROBATION


def test_lifting_leaves_alone_whom_a_person_cut_off_meanwhile(store: Store) -> None:
    know(store, "payroll", "p-1", "p-2")
    roundup(store).begin(put_on(store, "payroll"))
    kept = kill(store, "p-1")
    assert (kept.is_new, kept.hold_id) == (False, None)
    kill(store, "p-1")
    roundup(store).carry_out(lift(store, "payroll"))
    assert state_of(store, "p-1") is AgentState.CONTAINED
    assert state_of(store, "p-2") is AgentState.PROBATION
    assert headlines(store)[1:] == [
        "p-1 stays cut off when the hold is lifted, os:dave orders: its own",
        "all agents of role payroll are given back, the hold is lifted: over",
    ]
    with store.read() as ledger:
        again = [e for e in audit.entries(ledger, 100) if e["action"] == "kill ordered again"]
        assert audit.verify(ledger) is None
    assert {(e["actor"], e["subject"], e["doc"]["reason"]) for e in again} == {
        ("os:dave", "p-1", "its own")
    }
    assert [e["doc"]["trip_id"] for e in again] == [kept.trip_id] * 2
    assert [e["doc"]["hold_id"] is None for e in again] == [False, True]


def test_lifting_leaves_alone_of_whom_a_question_was_approved_meanwhile(store: Store) -> None:
    know(store, "payroll", "p-1")
    with store.ledger() as ledger:
        asked = approvals.ask(
            ledger, kind="trip", subject="p-1", reason="odd", asked_by="rule:odd", now_s=NOW,
            lasts_s=900,
        )  # fmt: skip
    roundup(store).begin(put_on(store, "payroll"))
    with store.ledger() as ledger:
        approved = approvals.decide(
            ledger, asked.approval_id, by="os:dave", approve=True, reason="odd indeed", now_s=NOW
        )
        trip_question.carry_out_approved(ledger, approved, POINTS, TOLD, NOW)
    roundup(store).carry_out(lift(store, "payroll"))
    assert state_of(store, "p-1") is AgentState.CONTAINED


def test_a_rule_does_not_make_the_trip_of_a_hold_its_own(store: Store) -> None:
    know(store, "payroll", "p-1")
    one = put_on(store, "payroll")
    roundup(store).begin(one)
    assert kill(store, "p-1", by="rule:odd").hold_id == one.hold_id


def test_a_person_may_take_one_agent_out_of_a_hold(store: Store) -> None:
    know(store, None, "a", "b")
    grant(store, "a")
    one = put_on(store, None)
    daemon = roundup(store)
    daemon.look()
    restore(store, "a")
    daemon.see([acting("a", None)])
    daemon.look()
    assert state_of(store, "a") is AgentState.PROBATION
    assert allows(store, "a")
    assert progress(store, one) == (2, 0, 1, 1)


@pytest.mark.parametrize("was_restored_before", [False, True])
def test_a_person_may_take_out_an_agent_that_the_hold_has_not_come_to_yet(
    store: Store, was_restored_before: bool
) -> None:
    grant(store, "a")
    if was_restored_before:
        kill(store, "a")
        restore(store, "a")
    one = put_on(store, None)
    assert not allows(store, "a")
    assert restore(store, "a").is_new
    assert allows(store, "a")
    know(store, None, "a")
    roundup(store).begin(one)
    assert state_of(store, "a") is AgentState.PROBATION
    assert allows(store, "a")
    assert progress(store, one) == (1, 0, 0, 1)
    with store.read() as ledger:
        (latest, *_) = trips.list_trips(ledger, "a")
        said = [(e["actor"], e["action"]) for e in audit.entries(ledger, 4)]
    assert (latest.hold_id, latest.ordered_by) == (one.hold_id, "os:alice")
    assert (latest.reason, latest.restore_ordered_by) == ("INC-42", "os:dave")
    assert said == [
        ("os:alice", "kill ordered"),
        ("tripswitch", "agent contained"),
        ("os:dave", "restore ordered"),
        ("tripswitch", "agent probation"),
    ]


def test_what_a_point_still_has_to_restore_goes_on_where_an_agent_is_taken_out(
    store: Store,
) -> None:
    """A restore is under way at a point when the hold comes, and the agent is taken out of it."""
    kill(store, "a", points=(*POINTS, "gateway"))
    restored = restore(store, "a")
    put_on(store, None)
    before, restored = restored, restore(store, "a")
    assert restored.state is AgentState.RESTORING
    (gateway,) = [point for point in restored.points if point.point == "gateway"]
    assert (gateway.direction, gateway.state) == ("restore", "pending")
    assert gateway.order_seq > max(point.order_seq for point in before.points)


def test_whom_no_hold_is_about_was_never_cut_off(store: Store) -> None:
    know(store, "payroll", "p-1")
    roundup(store).begin(put_on(store, "payroll"))
    with pytest.raises(NotFoundError, match="never cut off"):
        restore(store, "c-1")
