"""Orders about a role or about every agent, against a real store."""

import time
from pathlib import Path

import pytest
from sqlalchemy import select

from alerting.killswitch import BLOCKED, AgentState
from alerting.message import Message
from alerting.render import render_text
from monitor.errors import NotFoundError, UsageError
from monitor.ledger import approvals, audit, holds, trips
from monitor.store import Store
from monitor.store.schema import outbox
from tests.kit.events import raw_event
from tests.kit.holds import (
    NOW,
    POINTS,
    TOLD,
    acting,
    allows,
    grant,
    headlines,
    know,
    lift,
    progress,
    put_on,
    roundup,
    state_of,
)
from tests.unit.monitor.test_worker import drain, make


def test_all_agents_of_the_role_are_cut_off_and_no_other(store: Store) -> None:
    know(store, "payroll", "p-1", "p-2", "p-3")
    know(store, "crawler", "c-1")
    for agent_id in ("p-1", "c-1"):
        grant(store, agent_id)
    one = put_on(store, "payroll")
    assert roundup(store).begin(one) == 3
    assert [state_of(store, f"p-{n}") for n in (1, 2, 3)] == [AgentState.CONTAINED] * 3
    assert state_of(store, "c-1") is AgentState.ACTIVE
    assert (allows(store, "p-1"), allows(store, "c-1")) == (False, True)
    assert progress(store, one) == (3, 0, 3, 0)
    with store.read() as ledger:
        assert {trip.hold_id for trip in trips.list_trips(ledger)} == {one.hold_id}
        assert audit.verify(ledger) is None


def test_people_are_told_once_about_all_of_them(store: Store) -> None:
    know(store, "payroll", "p-1", "p-2")
    roundup(store).begin(put_on(store, "payroll"))
    roundup(store).carry_out(lift(store, "payroll"))
    assert headlines(store) == [
        "all agents of role payroll are being cut off, until the hold is lifted: INC-42",
        "all agents of role payroll are given back, the hold is lifted: over",
    ]


def test_below_what_is_told_stands_the_order_about_all_of_them(store: Store) -> None:
    put_on(store, "payroll")
    with store.read() as ledger:
        (doc,) = ledger.execute(select(outbox.c.doc)).scalars().all()
    said = "\n".join(render_text(Message.model_validate_json(doc)))
    assert "tripswitch restore --role payroll --reason '…'" in said
    assert said.count("tripswitch restore") == 1


def test_the_registry_refuses_at_once_before_any_trip_is_ordered(store: Store) -> None:
    know(store, "payroll", "p-1")
    for agent_id in ("p-1", "c-1"):
        grant(store, agent_id)
    one = put_on(store, "payroll")
    with store.ledger() as ledger:
        holds.enrol(ledger, one.hold_id, ["p-1"])
    assert state_of(store, "p-1") is AgentState.ACTIVE
    assert (allows(store, "p-1"), allows(store, "c-1")) == (False, True)
    put_on(store, None)
    assert not allows(store, "c-1")
    grant(store, "nobody-knows-me")
    assert not allows(store, "nobody-knows-me")


def test_what_is_granted_under_a_hold_stays_refused_when_it_is_lifted(store: Store) -> None:
    one = put_on(store, None)
    grant(store, "a")
    roundup(store).begin(one)
    roundup(store).carry_out(lift(store, None))
    assert state_of(store, "a") is AgentState.PROBATION
    assert not allows(store, "a")


def test_an_agent_that_turns_up_later_is_cut_off_too(store: Store) -> None:
    know(store, "payroll", "p-1")
    daemon = roundup(store)
    put_on(store, "payroll")
    assert daemon.look()
    assert not daemon.look()
    daemon.see(
        [acting("p-1", "payroll"), acting("p-9", "payroll"), acting("c-9", "crawler"),
         acting("x-9", None)]
    )  # fmt: skip
    assert daemon.look()
    assert state_of(store, "p-9") is AgentState.CONTAINED
    assert {state_of(store, a) for a in ("c-9", "x-9")} == {AgentState.ACTIVE}


def test_the_worker_shows_who_acts_under_a_hold(store: Store, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    worker = make(store, log)
    worker.roundup = roundup(store)
    log.write_bytes(raw_event(1, agent_id="p-1", role="payroll") + b"\n")
    drain(worker)
    assert not worker.roundup.look()
    put_on(store, "payroll")
    worker.roundup.look()
    for number, (agent_id, role) in enumerate([("p-9", "payroll"), ("p-9", None), ("c-1", "c")]):
        with log.open("ab") as file:
            file.write(raw_event(10 + number, agent_id=agent_id, role=role) + b"\n")
    drain(worker)
    assert worker.roundup.look()
    with store.read() as ledger:
        assert {trip.agent_id for trip in trips.list_trips(ledger)} == {"p-1", "p-9"}


def test_a_daemon_takes_up_what_a_crash_left(store: Store) -> None:
    know(store, "payroll", *(f"p-{n}" for n in range(5)))
    one = put_on(store, "payroll")
    with store.ledger() as ledger:
        holds.enrol(ledger, one.hold_id, ["p-0", "p-1", "p-2"])
    with store.ledger() as ledger:
        cut = holds.cut_off(ledger, one.hold_id, points=POINTS, receivers=TOLD, now_s=NOW, limit=2)
    assert cut == 2
    assert roundup(store).look()
    assert progress(store, one) == (5, 0, 5, 0)
    lift(store, "payroll")
    with store.ledger() as ledger:
        assert holds.give_back(ledger, one.hold_id, receivers=TOLD, now_s=NOW, limit=2) == 2
    assert roundup(store).look()
    assert progress(store, one).released == 5
    assert not roundup(store).look()


def test_an_agent_under_two_holds_comes_back_with_the_second(store: Store) -> None:
    know(store, "payroll", "p-1")
    know(store, "crawler", "c-1")
    for role in (None, "payroll"):
        roundup(store).begin(put_on(store, role))
    roundup(store).carry_out(lift(store, None))
    assert state_of(store, "c-1") is AgentState.PROBATION
    assert state_of(store, "p-1") in BLOCKED
    roundup(store).carry_out(lift(store, "payroll"))
    assert state_of(store, "p-1") is AgentState.PROBATION


def test_whoever_carries_out_a_hold_that_somebody_lifts_gives_back(store: Store) -> None:
    know(store, "payroll", "p-1", "p-2")
    one = put_on(store, "payroll")
    roundup(store).begin(one)
    lift(store, "payroll")
    given_back = roundup(store).carry_out(one, deadline_s=time.monotonic() + 5)  # read before
    assert given_back == 2
    assert progress(store, one).released == 2


def test_a_hold_is_put_on_once_and_only_by_an_approval(store: Store) -> None:
    one = put_on(store, "payroll")
    assert put_on(store, "payroll", NOW + 5) == one
    assert put_on(store, None).role is None
    with store.ledger() as ledger:
        asked = approvals.ask(
            ledger, kind="kill_role", subject="r", reason="r", asked_by="os:a", now_s=NOW,
            lasts_s=9,
        )  # fmt: skip
        with pytest.raises(UsageError):
            holds.carry_out(ledger, asked, receivers=(), now_s=NOW)


def test_only_a_person_lifts_with_a_reason_what_is_on(store: Store) -> None:
    with pytest.raises(NotFoundError, match="role 'payroll'"):
        lift(store, "payroll")
    put_on(store, "payroll")
    with pytest.raises(UsageError, match="person"):
        lift(store, "payroll", by="rule:r")
    with pytest.raises(UsageError, match="reason"):
        lift(store, "payroll", reason=" ")
    with pytest.raises(NotFoundError):
        lift(store, None)
    assert lift(store, "payroll").lifted_by == "os:carol"
    with pytest.raises(NotFoundError):
        lift(store, "payroll")
