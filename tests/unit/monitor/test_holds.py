"""Orders about a role or about every agent, against a real store."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import insert, select

from alerting.killswitch import BLOCKED, AgentState
from alerting.message import Message
from alerting.render import render_text
from baselines.profile import Profile, Rules
from monitor.config import StoreConfig
from monitor.errors import NotFoundError, UsageError
from monitor.ledger import agents, approvals, audit, grants, hold, holds, trips
from monitor.ledger.hold import Hold
from monitor.roundup import Roundup
from monitor.store import Store
from monitor.store.schema import outbox, profiles
from tests.kit.events import raw_event
from tests.unit.monitor.test_worker import drain, make

NOW = 1_700_000_000.0
POINTS = ("registry",)
TOLD = ("terminal",)


def know(store: Store, role: str | None, *agent_ids: str) -> None:
    """Give the state store profiles of these agents."""
    with store.state() as state:
        for agent_id in agent_ids:
            state.execute(
                insert(profiles).values(
                    source="log", partition=0, agent_id=agent_id, role=role, first_seen=NOW,
                    last_seen=NOW, events=1, learned="{}", checksum=b"", body=b"",
                )
            )  # fmt: skip


def grant(store: Store, agent_id: str) -> None:
    with store.ledger() as ledger:
        grants.add(ledger, agent_id=agent_id, scope="s", reason="r", granted_by="os:x", now_s=NOW)


def allows(store: Store, agent_id: str) -> bool:
    with store.read() as ledger:
        return grants.allows(ledger, agent_id, "s", NOW + 50)


def acting(agent_id: str, role: str | None) -> Profile:
    profile = Profile(agent_id, Rules())
    profile.role = role
    return profile


def put_on(store: Store, role: str | None, now_s: float = NOW) -> Hold:
    with store.ledger() as ledger:
        asked = approvals.ask(
            ledger,
            kind="kill_all" if role is None else "kill_role",
            subject=role or "",
            reason="INC-42",
            asked_by="os:alice",
            now_s=now_s,
            lasts_s=900,
        )
        approved = approvals.decide(
            ledger, asked.approval_id, by="os:bob", approve=True, reason="yes", now_s=now_s
        )
        return holds.carry_out(ledger, approved, receivers=TOLD, now_s=now_s)


def lift(store: Store, role: str | None, **changes: Any) -> Hold:
    values: dict[str, Any] = {"reason": "over", "by": "os:carol", "probation_s": 60.0}
    with store.ledger() as ledger:
        return holds.lift(
            ledger, role=role, receivers=TOLD, now_s=NOW + 20, **{**values, **changes}
        )


def roundup(store: Store) -> Roundup:
    return Roundup(store, POINTS, TOLD)


def state_of(store: Store, agent_id: str) -> AgentState:
    with store.read() as ledger:
        return agents.state_of(ledger, agent_id)


def progress(store: Store, one: Hold) -> hold.Progress:
    with store.read() as ledger:
        return hold.progress(ledger, one.hold_id)


def kill(store: Store, agent_id: str) -> trips.Trip:
    with store.ledger() as ledger:
        return trips.order_kill(
            ledger, agent_id=agent_id, reason="its own", ordered_by="os:dave", automatic=False,
            now_s=NOW + 1, points=POINTS, receivers=TOLD,
        )  # fmt: skip


def restore(store: Store, agent_id: str) -> None:
    with store.ledger() as ledger:
        trips.order_restore(
            ledger, agent_id=agent_id, reason="needed", ordered_by="os:dave", now_s=NOW + 5,
            probation_s=0.0, receivers=TOLD,
        )  # fmt: skip


def headlines(store: Store) -> list[str]:
    with store.read() as ledger:
        docs = ledger.execute(select(outbox.c.doc).order_by(outbox.c.seq)).scalars().all()
    return [doc.split('"headline":"')[1].split('"')[0] for doc in docs]


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


def test_lifting_leaves_alone_who_was_cut_off_for_a_reason_of_its_own(store: Store) -> None:
    know(store, "payroll", "p-1", "p-2")
    kill(store, "p-1")
    roundup(store).begin(put_on(store, "payroll"))
    roundup(store).carry_out(lift(store, "payroll"))
    assert state_of(store, "p-1") in BLOCKED
    assert state_of(store, "p-2") is AgentState.PROBATION


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


ROLES = {"p-1": "payroll", "p-2": "payroll", "c-1": "crawler"}
AGENTS = st.sampled_from(sorted(ROLES))
WHICH = st.sampled_from(["payroll", None])


class Orders(RuleBasedStateMachine):
    """People put holds on and lift them, kill and restore single agents, and daemons crash."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.store = Store.open(StoreConfig(url=f"sqlite:///{self.directory / 'l.db'}"))
        for agent_id, role in ROLES.items():
            know(self.store, role, agent_id)
            grant(self.store, agent_id)
        self.on: dict[str | None, Hold] = {}
        self.free: dict[str, set[str]] = {}
        """By hold: whom a person took out of it."""
        self.killed: set[str] = set()

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.directory)

    def covers(self, agent_id: str) -> bool:
        return any(
            role in (None, ROLES[agent_id]) and agent_id not in self.free[one.hold_id]
            for role, one in self.on.items()
        )

    @rule(role=WHICH)
    def put_on(self, role: str | None) -> None:
        if role not in self.on:
            self.on[role] = put_on(self.store, role)
            self.free[self.on[role].hold_id] = set()
            for page in [[a for a, r in ROLES.items() if role in (None, r)]]:
                with self.store.ledger() as ledger:
                    holds.enrol(ledger, self.on[role].hold_id, page)

    @rule(role=WHICH)
    def lift(self, role: str | None) -> None:
        if self.on.pop(role, None):
            lift(self.store, role)

    @rule()
    def work_a_little(self) -> None:
        """One batch of one, then the process is gone."""
        with self.store.read() as ledger:
            open_holds = hold.unfinished(ledger)
        for one in open_holds[:1]:
            with self.store.ledger() as ledger:
                holds.cut_off(ledger, one.hold_id, points=POINTS, receivers=(), now_s=NOW, limit=1)
                holds.give_back(ledger, one.hold_id, receivers=(), now_s=NOW, limit=1)

    @rule(agent_id=AGENTS)
    def kill(self, agent_id: str) -> None:
        if kill(self.store, agent_id).is_new:
            self.killed.add(agent_id)

    @rule(agent_id=AGENTS)
    def restore(self, agent_id: str) -> None:
        if state_of(self.store, agent_id) in BLOCKED:
            restore(self.store, agent_id)
            self.killed.discard(agent_id)
            for role, one in self.on.items():
                if role in (None, ROLES[agent_id]):
                    self.free[one.hold_id].add(agent_id)

    @rule()
    def look(self) -> None:
        roundup(self.store).look()
        for agent_id in ROLES:
            expected = self.covers(agent_id) or agent_id in self.killed
            assert (state_of(self.store, agent_id) in BLOCKED) == expected, agent_id

    @invariant()
    def nobody_under_a_hold_is_allowed_anything(self) -> None:
        for agent_id in ROLES:
            if self.covers(agent_id) or agent_id in self.killed:
                assert not allows(self.store, agent_id)


Orders.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestOrders = Orders.TestCase
