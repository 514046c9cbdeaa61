"""The kill switch as a machine: orders, crashes, late and repeated answers, in any order.

Several agents, two enforcement points, several processes, against the real ledger. The points
take what the wire brings, whenever it brings it: twice, or long after its sender's lease ended or
its sender died.
"""

import random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from alerting.killswitch import BLOCKED, OPEN, TRANSITIONS, AgentState, PointState
from monitor.errors import NotFoundError, UsageError
from monitor.ledger import audit, grants, trips
from monitor.ledger.points import MAX_BACKOFF_S
from monitor.store import Store
from tests.kit.killswitch_world import (
    AGENTS,
    LEASE_S,
    POINTS,
    PROBATION_S,
    RECEIVERS,
    Flight,
    World,
)

which_agent = st.sampled_from(AGENTS)
any_number = st.integers(0, 1000)


class KillSwitch(World, RuleBasedStateMachine):
    """Anything that can happen to the orders about two agents."""

    @initialize()
    def grant(self) -> None:
        with self.store.ledger() as ledger:
            for agent in AGENTS:
                grants.add(
                    ledger, agent_id=self.prefix + agent, scope="s", reason="r",
                    granted_by="os:a", now_s=self.now_s,
                )  # fmt: skip

    # --- what people and rules order ---------------------------------------------------------

    @rule(agent=which_agent, automatic=st.booleans(), points=st.sampled_from((POINTS, (), POINTS)))
    def kill(self, agent: str, automatic: bool, points: tuple[str, ...]) -> None:
        with self.store.ledger() as ledger:
            trip = trips.order_kill(
                ledger,
                agent_id=self.prefix + agent,
                reason="why",
                ordered_by="rule:x" if automatic else "os:alice",
                automatic=automatic,
                now_s=self.now_s,
                points=points,
                receivers=RECEIVERS,
            )
        assert trip.is_new is not self.blocked[agent], "a kill is a new order, or finds one"
        self.blocked[agent] = True

    @rule(agent=which_agent)
    def restore(self, agent: str) -> None:
        try:
            self._restore(agent, "os:bob")
        except NotFoundError:
            assert self.order_seq[agent] == 0, "only one that was never cut off"
        self.blocked[agent] = False

    @rule(agent=which_agent, by=st.sampled_from(("rule:x", "tripswitch", "")))
    def restore_without_a_person(self, agent: str, by: str) -> None:
        with pytest.raises(UsageError, match="person"):
            self._restore(agent, by)

    @rule(agent=which_agent, point=st.sampled_from(POINTS))
    def give_up(self, agent: str, point: str) -> None:
        trip = self._trip(agent)
        if trip is not None and any(p.point == point and p.state in OPEN for p in trip.points):
            with self.store.ledger() as ledger:
                trips.give_up(
                    ledger, trip.trip_id, point, reason="gone", by="os:alice",
                    receivers=RECEIVERS, now_s=self.now_s,
                )  # fmt: skip
            self.given_up.add((self.prefix + agent, point))

    # --- what processes and wires do ---------------------------------------------------------

    @rule(seconds=st.sampled_from((0.1, 1.0, LEASE_S, PROBATION_S, 100.0)))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @rule(owner=st.sampled_from(("daemon", "cli")), limit=st.integers(1, 3))
    def lease(self, owner: str, limit: int) -> None:
        with self.store.ledger() as ledger:
            leased = trips.lease_due(ledger, owner, self.now_s, LEASE_S, only=POINTS, limit=limit)
        running = {flight.key for flight in self.flights if flight.ends_at > self.now_s}
        for each in leased:
            self.flights.append(Flight(each))
            assert self.flights[-1].key not in running, "two drive one point about one agent"

    @rule()
    def drive(self) -> None:
        """A process does all that is due, and nothing goes wrong."""
        first = len(self.flights)
        self.lease("daemon", 10)
        for number in range(first, len(self.flights)):
            self.confirm(number, False)

    @rule(agent=which_agent, points=st.sampled_from((POINTS, ())))
    def turn_round(self, agent: str, points: tuple[str, ...]) -> None:
        if self.blocked[agent]:
            self.restore(agent)
        else:
            self.kill(agent, False, points)

    @rule(seed=any_number)
    def churn(self, seed: int) -> None:
        """Many orders in a row: Hypothesis alone seldom gets so far within one example."""
        dice = random.Random(seed)
        for _ in range(8):
            act = dice.choice(("turn", "turn", "drive", "drive", "lease", "wait"))
            if act == "turn":
                self.turn_round(dice.choice(AGENTS), dice.choice((POINTS, ())))
            elif act == "drive":
                self.drive()
            elif act == "lease":
                self.lease("cli", 1)
            else:
                self.wait(dice.choice((1.0, LEASE_S)))
            self.what_is_confirmed_is_what_the_point_keeps_to()
            self.states_follow_the_table()

    @precondition(lambda self: self.flights)
    @rule(number=any_number)
    def land(self, number: int) -> None:
        """The wire delivers; it may do so again."""
        leased = self._flight(number).leased
        self.doors[leased.point].take(leased)

    @precondition(lambda self: self.flights)
    @rule(number=any_number)
    def crash(self, number: int) -> None:
        """The sender dies, before or after its order had an effect; it may yet have one."""
        self._flight(number).sender_lives = False

    @precondition(lambda self: self.flights)
    @rule(number=any_number, again=st.booleans())
    def confirm(self, number: int, again: bool) -> None:
        flight = self._flight(number)
        if flight.sender_lives:
            self.land(number)
            for _ in range(1 + again):
                self._settle(flight, None)

    @precondition(lambda self: self.flights)
    @rule(number=any_number, landed=st.booleans())
    def fail(self, number: int, landed: bool) -> None:
        """The sender says that it failed; all the same the point may have heard it."""
        flight = self._flight(number)
        if flight.sender_lives:
            if landed:
                self.land(number)
            self._settle(flight, "no answer")

    # --- what the stream shows ---------------------------------------------------------------

    @rule(agent=which_agent, effective=st.integers(0, 2), refused=st.integers(0, 1))
    def watch(self, agent: str, effective: int, refused: int) -> None:
        trip = self._trip(agent)
        if trip is None or not self.blocked[agent]:
            return
        self._watched(trip, effective if trip.held_at is not None else 0, refused)

    @rule(agent=which_agent)
    def late_watch(self, agent: str) -> None:
        """A worker that has not heard of the restore yet reports on the last trip."""
        trip = self._trip(agent)
        if trip is not None:
            self._watched(trip, 1, 0)
            with self.store.ledger() as ledger:
                trips.mark_silent(ledger, trip.trip_id, receivers=RECEIVERS, now_s=self.now_s)

    @rule(agent=which_agent)
    def silence(self, agent: str) -> None:
        trip = self._trip(agent)
        if trip is not None:
            with self.store.ledger() as ledger:
                news = trips.mark_silent(
                    ledger, trip.trip_id, receivers=RECEIVERS, now_s=self.now_s
                )
            before = self.state[agent]
            partial = before is AgentState.PARTIAL and trip.silent_at is None
            assert news is (before is AgentState.CONTAINED or partial)

    @rule()
    def end_probations(self) -> None:
        with self.store.ledger() as ledger:
            trips.end_probation(ledger, self.now_s)

    # --- what must hold at every moment ------------------------------------------------------

    @invariant()
    def states_follow_the_table(self) -> None:
        for agent in AGENTS:
            now, before = self._standing(agent).state, self.state[agent]
            one = {before} | {to for (start, _), to in TRANSITIONS.items() if start is before}
            two = one | {to for (start, _), to in TRANSITIONS.items() if start in one}
            assert now in two
            self.state[agent] = now

    @invariant()
    def only_orders_block_and_only_persons_unblock(self) -> None:
        for agent in AGENTS:
            assert (self._standing(agent).state in BLOCKED) is self.blocked[agent]
            with self.store.read() as ledger:
                allowed = grants.allows(ledger, self.prefix + agent, "s", self.now_s)
            assert allowed is not self.blocked[agent]

    @invariant()
    def orders_are_numbered(self) -> None:
        for agent in AGENTS:
            seq = self._standing(agent).order_seq
            assert seq >= self.order_seq[agent]
            self.order_seq[agent] = seq
            trip = self._trip(agent)
            assert trip is None or {p.order_seq for p in trip.points} == {seq}

    @invariant()
    def no_order_is_lost(self) -> None:
        """What is under way has an open point, and each open point comes round again."""
        for agent in AGENTS:
            trip = self._trip(agent)
            if trip is None:
                continue
            open_points = [p for p in trip.points if p.state in OPEN]
            # A late answer may send the present order out again although the agent has arrived.
            if trip.state in (AgentState.TRIPPING, AgentState.RESTORING):
                assert open_points
            for point in open_points:
                assert point.due_at <= self.now_s + MAX_BACKOFF_S
                assert point.lease_until <= self.now_s + LEASE_S

    @invariant()
    def what_is_confirmed_is_what_the_point_keeps_to(self) -> None:
        for agent in AGENTS:
            trip = self._trip(agent)
            for point in trip.points if trip is not None else ():
                if point.point in self.doors and point.state is PointState.CONFIRMED:
                    told = self.doors[point.point].told[self.prefix + agent]
                    assert told == (point.order_seq, point.direction)

    def teardown(self) -> None:
        """Whatever happened: driven on, every point arrives at the last order, and stays there."""
        for flight in self.flights:
            flight.sender_lives = False
        for _ in range(4):
            self.now_s += 100
            self.lease("daemon", 100)
            for number, flight in enumerate(self.flights):
                if flight.sender_lives:
                    self.confirm(number, False)
                    flight.sender_lives = False
        for flight in self.flights:  # what the wire still had comes last of all
            self.doors[flight.leased.point].take(flight.leased)
        self.what_is_confirmed_is_what_the_point_keeps_to()
        for agent in AGENTS:
            trip = self._trip(agent)
            settled = (PointState.CONFIRMED, PointState.GIVEN_UP)
            assert trip is None or all(point.state in settled for point in trip.points)
            last = "revoke" if self.blocked[agent] else "restore"
            for name, door in self.doors.items():
                _, direction = door.told.get(self.prefix + agent, (0, last))
                assert direction == last or (self.prefix + agent, name) in self.given_up
        with self.store.read() as ledger:
            assert audit.verify(ledger) is None


def test_nothing_that_can_happen_breaks_the_kill_switch(store: Store) -> None:
    examples, steps = (20, 25) if store.is_sqlite else (5, 15)
    run_state_machine_as_test(
        type("OnStore", (KillSwitch,), {"store": store}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
