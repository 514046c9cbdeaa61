"""Holds, and orders about single agents, in any order, while daemons crash."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from alerting.killswitch import BLOCKED
from monitor.config import StoreConfig
from monitor.ledger import hold, holds
from monitor.ledger.hold import Hold
from monitor.store import Store
from tests.kit.holds import (
    NOW,
    POINTS,
    allows,
    grant,
    kill,
    know,
    lift,
    put_on,
    restore,
    roundup,
    state_of,
)

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
        kill(self.store, agent_id)
        self.killed.add(agent_id)

    @rule(agent_id=AGENTS)
    def restore(self, agent_id: str) -> None:
        if self.covers(agent_id) or state_of(self.store, agent_id) in BLOCKED:
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
