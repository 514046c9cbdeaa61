"""Orders about one agent in any order, while whoever sends them crashes or answers late."""

import functools
import random
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from alerting.killswitch import BLOCKED, OPEN, TRANSITIONS, AgentState, PointState
from monitor.config import StoreConfig
from monitor.errors import UsageError
from monitor.ledger import agents, audit, grants, trips
from monitor.store import Store
from tests.kit.trips import (
    LEASE_S,
    NOW,
    RECEIVERS,
    kill,
    lease,
    point,
    restore,
    settle,
)


@dataclass
class Flight:
    """A process that holds a lease, and whether its order has reached the point."""

    leased: trips.Leased
    landed: bool = field(default=False)


FATES = ("confirms", "hangs", "lands", "fails", "crashes")
WAITS = (0.0, 0.0, 0.0, 0.0, LEASE_S)


@functools.cache
def _empty_store() -> "tempfile.TemporaryDirectory[str]":
    """A store to copy: making the tables anew for each example takes too long."""
    directory = tempfile.TemporaryDirectory()
    _open(directory).close()
    return directory


def _open(directory: "tempfile.TemporaryDirectory[str]") -> Store:
    return Store.open(StoreConfig(url=f"sqlite:///{Path(directory.name) / 'ledger.db'}"))


@settings(
    max_examples=15,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
class KillSwitch(RuleBasedStateMachine):
    """Orders, attempts, crashes and late answers in any order, one agent, a naive topic."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        shutil.copytree(_empty_store().name, self._directory.name, dirs_exist_ok=True)
        self.store = _open(self._directory)
        self.now_s = NOW
        self.flights: list[Flight] = []
        self.topic: list[str] = []
        """What the point was told, in order of arrival: the last one counts."""
        self.state = AgentState.ACTIVE
        self.order_seq = 0
        self.dice = random.Random(0)
        with self.store.ledger() as ledger:
            grants.add(ledger, agent_id="a", scope="s", reason="r", granted_by="os:a", now_s=NOW)

    # One rule that throws its own dice: Hypothesis would try each kind of step too unevenly for
    # the long sequences that matter here.
    @rule(dice=st.integers(0, 10**6))
    def step(self, dice: int) -> None:
        self.dice = random.Random(dice)
        self.now_s += self.dice.choice(WAITS)
        acts = (self.turn_round, self.attempt, self.go_on, self.give_up, self.order_in_vain)
        self.dice.choices(acts, weights=(8, 2, 8, 1, 1))[0]()
        with self.store.ledger() as ledger:
            trips.end_probation(ledger, self.now_s)

    def turn_round(self) -> None:
        if self._read_state() in BLOCKED:
            restore(self.store, self.now_s)
            assert self._read_state() not in BLOCKED
        else:
            kill(self.store, self.now_s)
            assert self._read_state() in BLOCKED
        self.attempt()

    def order_in_vain(self) -> None:
        before = self._read_state()
        if before in BLOCKED:
            kill(self.store, self.now_s, automatic=True, ordered_by="rule:x")
        with pytest.raises(UsageError):
            restore(self.store, self.now_s, "rule:x")
        assert self._read_state() is before

    def attempt(self) -> None:
        for leased in lease(self.store, self.now_s):
            self.flights.append(Flight(leased))
            self._go_on(self.flights[-1], self.dice.choices(FATES, weights=(4, 5, 1, 1, 1))[0])

    def go_on(self) -> None:
        if self.flights:
            fate = self.dice.choices(FATES, weights=(3, 1, 4, 1, 1))[0]
            self._go_on(self.dice.choice(self.flights), fate)

    def give_up(self) -> None:
        with self.store.ledger() as ledger:
            found = trips.list_trips(ledger, "a", limit=1)
            if found and point(found[0]).state in OPEN:
                trips.give_up(
                    ledger,
                    found[0].trip_id,
                    "kafka",
                    reason="gone",
                    by="os:alice",
                    receivers=RECEIVERS,
                    now_s=self.now_s,
                )

    @invariant()
    def states_follow_the_table(self) -> None:
        state = self._read_state()
        one = {self.state} | {to for (start, _), to in TRANSITIONS.items() if start is self.state}
        two = one | {to for (start, _), to in TRANSITIONS.items() if start in one}
        assert state in two
        self.state = state

    @invariant()
    def a_blocked_agent_may_nothing(self) -> None:
        with self.store.read() as ledger:
            allowed = grants.allows(ledger, "a", "s", self.now_s)
        assert allowed is (self._read_state() not in BLOCKED)

    @invariant()
    def orders_are_numbered(self) -> None:
        with self.store.read() as ledger:
            found = trips.list_trips(ledger, "a")
        seq = max((p.order_seq for trip in found for p in trip.points), default=0)
        assert seq >= self.order_seq
        self.order_seq = seq

    @invariant()
    def what_is_confirmed_is_the_last_that_the_point_was_told(self) -> None:
        with self.store.read() as ledger:
            found = trips.list_trips(ledger, "a", limit=1)
        under_way = [f for f in self.flights if not f.landed]
        if not under_way and found and point(found[0]).state is PointState.CONFIRMED:
            assert self.topic[-1] == point(found[0]).direction

    def teardown(self) -> None:
        """Whatever happened, driving on brings every point to the last order."""
        self.flights.clear()  # all die; none can arrive after its lease
        for _ in range(5):
            self.now_s += 100
            for leased in lease(self.store, self.now_s):
                self.topic.append(leased.order.direction)
                assert settle(self.store, leased, self.now_s)
        with self.store.read() as ledger:
            found = trips.list_trips(ledger, "a")
            assert audit.verify(ledger) is None
        assert not any(p.state in OPEN for trip in found for p in trip.points)
        if found and point(found[0]).state is PointState.CONFIRMED:
            assert self.topic[-1] == point(found[0]).direction
            assert (point(found[0]).direction == "revoke") is (self._read_state() in BLOCKED)
        self.store.close()
        self._directory.cleanup()

    def _go_on(self, flight: Flight, fate: str) -> None:
        alive = fate in ("confirms", "fails")
        # An attempt is shorter than its lease, or else its process overslept and says so at once.
        in_time = self.now_s < flight.leased.until_s
        if fate in ("lands", "confirms") and not flight.landed and (in_time or alive):
            flight.landed = True
            self.topic.append(flight.leased.order.direction)
        if fate != "lands" and fate != "hangs":
            self.flights.remove(flight)
        if alive:
            error = None if fate == "confirms" else "broker away"
            settle(self.store, flight.leased, self.now_s, error)

    def _read_state(self) -> AgentState:
        with self.store.read() as ledger:
            return agents.state_of(ledger, "a")


TestKillSwitch = KillSwitch.TestCase
