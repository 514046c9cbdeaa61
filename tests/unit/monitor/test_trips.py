"""The ledger side of the kill switch, against a real store."""

import functools
import random
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import select

from alerting.killswitch import BLOCKED, OPEN, TRANSITIONS, AgentState, PointState
from monitor.config import StoreConfig
from monitor.errors import ExitCode, NotFoundError, UsageError
from monitor.ledger import agents, audit, grants, trips
from monitor.store import Store
from monitor.store.schema import outbox

POINTS = ("registry", "kafka")
RECEIVERS = ("terminal",)
NOW = 1_700_000_000.0
LEASE_S = 10.0
PROBATION_S = 5.0


def kill(store: Store, now_s: float = NOW, agent_id: str = "a", **changes: Any) -> trips.Trip:
    values: dict[str, Any] = {
        "reason": "why",
        "ordered_by": "os:alice",
        "automatic": False,
        "points": POINTS,
        "receivers": RECEIVERS,
    }
    with store.ledger() as ledger:
        return trips.order_kill(ledger, agent_id=agent_id, now_s=now_s, **{**values, **changes})


def restore(store: Store, now_s: float = NOW, by: str = "os:bob") -> trips.Trip:
    with store.ledger() as ledger:
        return trips.order_restore(
            ledger,
            agent_id="a",
            reason="false alarm",
            ordered_by=by,
            now_s=now_s,
            probation_s=PROBATION_S,
            receivers=RECEIVERS,
        )


def lease(store: Store, now_s: float) -> list[trips.Leased]:
    with store.ledger() as ledger:
        return trips.lease_due(ledger, "me", now_s, LEASE_S, only=("kafka",))


def settle(store: Store, leased: trips.Leased, now_s: float, error: str | None = None) -> bool:
    with store.ledger() as ledger:
        return trips.settle_point(ledger, leased, error=error, receivers=RECEIVERS, now_s=now_s)


def get(store: Store, trip_id: str) -> trips.Trip:
    with store.read() as ledger:
        return trips.get(ledger, trip_id)


def point(trip: trips.Trip, name: str = "kafka") -> trips.Point:
    return next(p for p in trip.points if p.point == name)


def kinds(store: Store) -> list[str]:
    with store.read() as ledger:
        docs = ledger.execute(select(outbox.c.doc).order_by(outbox.c.seq)).scalars().all()
    return [doc.split('"kind":"')[1].split('"')[0] for doc in docs]


def test_an_order_is_durable_before_any_point_is_driven(store: Store) -> None:
    trip = kill(store)
    assert trip.is_new
    assert trip.state is AgentState.TRIPPING
    assert point(trip, "registry").state is PointState.CONFIRMED
    assert point(trip).state is PointState.PENDING
    assert trip.verdict() is ExitCode.PARTLY
    assert get(store, trip.trip_id).points == trip.points


def test_with_the_registry_alone_an_agent_is_contained_at_once(store: Store) -> None:
    trip = kill(store, points=())
    assert trip.state is AgentState.CONTAINED
    assert trip.contained_at == NOW
    assert trip.verdict() is ExitCode.DONE


def test_a_second_kill_finds_the_first_and_tries_at_once(store: Store) -> None:
    first = kill(store)
    (leased,) = lease(store, NOW)
    settle(store, leased, NOW, "broker away")
    assert lease(store, NOW) == []
    second = kill(store, NOW + 0.1)
    assert (second.trip_id, second.is_new) == (first.trip_id, False)
    assert len(lease(store, NOW + 0.1)) == 1


def test_the_same_evidence_trips_once(store: Store) -> None:
    evidence: dict[str, Any] = {
        "automatic": True,
        "ordered_by": "rule:x",
        "anomaly_id": "n",
        "points": (),
    }
    first = kill(store, **evidence)
    restore(store)
    assert kill(store, **evidence).trip_id == first.trip_id
    assert get(store, first.trip_id).state is AgentState.PROBATION


def test_a_point_that_fails_is_tried_later_and_later(store: Store) -> None:
    trip, now_s, waits = kill(store), NOW, []
    for _ in range(9):
        (leased,) = lease(store, now_s)
        assert settle(store, leased, now_s, "broker away")
        waits.append(point(get(store, trip.trip_id)).due_at - now_s)
        now_s += waits[-1]
    for n, wait in enumerate(waits):
        ceiling_s = min(60.0, 2.0**n)
        assert ceiling_s / 2 - 0.001 <= wait <= ceiling_s + 0.001
    failed = point(get(store, trip.trip_id))
    assert (failed.state, failed.attempts, failed.last_error) == ("failed", 9, "broker away")
    (leased,) = lease(store, now_s)
    assert settle(store, leased, now_s)
    after = get(store, trip.trip_id)
    assert after.state is AgentState.CONTAINED
    assert after.contained_at == now_s
    assert kinds(store) == ["trip_ordered", "trip_partial", "trip_contained"]


def test_a_lease_keeps_others_off_until_it_runs_out(store: Store) -> None:
    kill(store)
    (first,) = lease(store, NOW)
    assert lease(store, NOW + LEASE_S - 0.1) == []
    (second,) = lease(store, NOW + LEASE_S)
    assert not settle(store, first, NOW + LEASE_S, "too late to count")
    assert settle(store, second, NOW + LEASE_S)


def test_a_restore_waits_for_the_revocation_under_way(store: Store) -> None:
    trip = kill(store)
    (leased,) = lease(store, NOW)
    assert restore(store, NOW + 1).state is AgentState.RESTORING
    assert lease(store, NOW + 2) == []
    assert not settle(store, leased, NOW + 3)  # its report ends the waiting and counts for nothing
    (turned,) = lease(store, NOW + 3)
    assert turned.order.direction == "restore"
    assert settle(store, turned, NOW + 3)
    after = get(store, trip.trip_id)
    assert after.state is AgentState.PROBATION
    assert after.contained_at is None
    assert after.restored_at == NOW + 3


def test_a_restore_waits_for_a_holder_that_died_no_longer_than_its_lease(store: Store) -> None:
    kill(store)
    lease(store, NOW)
    restore(store, NOW + 1)
    assert lease(store, NOW + LEASE_S - 0.1) == []
    assert lease(store, NOW + LEASE_S)[0].order.direction == "restore"


def test_a_kill_supersedes_a_restore_and_waits_for_it(store: Store) -> None:
    first = kill(store)
    restore(store)
    (leased,) = lease(store, NOW)
    assert leased.order.direction == "restore"
    second = kill(store, NOW + 1)
    assert second.is_new
    assert point(get(store, first.trip_id)).state is PointState.SUPERSEDED
    assert get(store, first.trip_id).state is None
    assert lease(store, NOW + 1) == []
    settle(store, leased, NOW + 2)
    (revocation,) = lease(store, NOW + 2)
    assert (revocation.order.trip_id, revocation.order.order_seq) == (second.trip_id, 3)


def test_a_kill_takes_over_points_that_it_does_not_know(store: Store) -> None:
    kill(store)
    settle(store, lease(store, NOW)[0], NOW)
    restore(store, NOW + 1)
    second = kill(store, NOW + 2, points=())  # as by a command with other settings
    assert [p.point for p in second.points] == ["kafka", "registry"]
    settle(store, lease(store, NOW + 2)[0], NOW + 2)
    restore(store, NOW + 3)
    (turned,) = lease(store, NOW + 3)
    assert turned.order.direction == "restore", "what the first trip revoked is given back"


def test_a_kill_waits_for_an_order_under_way_of_any_earlier_trip(store: Store) -> None:
    first = kill(store)
    (under_way,) = lease(store, NOW)
    with store.ledger() as ledger:
        trips.give_up(
            ledger, first.trip_id, "kafka", reason="gone", by="os:a", receivers=RECEIVERS, now_s=NOW
        )
    restore(store, NOW + 1)
    with store.ledger() as ledger:
        trips.give_up(
            ledger, first.trip_id, "kafka", reason="gone", by="os:a", receivers=RECEIVERS, now_s=NOW
        )
    kill(store, NOW + 2, points=())
    restore(store, NOW + 3)
    kill(store, NOW + 4)
    assert lease(store, NOW + 4) == []
    settle(store, under_way, NOW + 5)
    assert len(lease(store, NOW + 5)) == 1


def test_a_late_answer_makes_the_present_order_go_out_again(store: Store) -> None:
    trip = kill(store)
    (overslept,) = lease(store, NOW)
    restore(store, NOW + 1)
    (turned,) = lease(store, NOW + LEASE_S)
    settle(store, turned, NOW + LEASE_S)
    assert not settle(store, overslept, NOW + 99)
    assert point(get(store, trip.trip_id)).state is PointState.PENDING
    (again,) = lease(store, NOW + 99)
    assert again.order.direction == "restore"
    assert settle(store, again, NOW + 99)
    assert get(store, trip.trip_id).state is AgentState.PROBATION


def test_orders_at_the_same_time_are_one_after_the_other(store: Store) -> None:
    agents_killed = ["a", "b", "a", "c"] * 4
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda agent_id: kill(store, agent_id=agent_id), agents_killed))
    assert sorted(trip.agent_id for trip in found if trip.is_new) == ["a", "b", "c"]
    with ThreadPoolExecutor(4) as pool:
        leased = [
            each for found in pool.map(lambda _: lease(store, NOW), range(12)) for each in found
        ]
    assert sorted(each.order.agent_id for each in leased) == ["a", "b", "c"]
    with store.read() as ledger:
        assert audit.verify(ledger) is None


@pytest.mark.parametrize("by", ["rule:critical", "tripswitch", "alice"])
def test_no_restore_without_a_person(store: Store, by: str) -> None:
    trip = kill(store)
    with pytest.raises(UsageError, match="person"):
        restore(store, by=by)
    assert get(store, trip.trip_id).state is AgentState.TRIPPING


def test_an_agent_that_was_never_cut_off_cannot_be_restored(store: Store) -> None:
    with pytest.raises(NotFoundError, match="never cut off"):
        restore(store)


def test_giving_up_is_partial_and_names_its_limits(store: Store) -> None:
    trip = kill(store)

    def give_up(trip_id: str, name: str, by: str = "os:alice") -> trips.Trip:
        with store.ledger() as ledger:
            return trips.give_up(
                ledger, trip_id, name, reason="gone", by=by, receivers=RECEIVERS, now_s=NOW
            )

    with pytest.raises(UsageError, match="person"):
        give_up(trip.trip_id, "kafka", by="rule:x")
    with pytest.raises(NotFoundError, match="no point 'fax'; it has kafka, registry"):
        give_up(trip.trip_id, "fax")
    with pytest.raises(UsageError, match="is confirmed: nothing to give up"):
        give_up(trip.trip_id, "registry")
    after = give_up(trip.trip_id, "kafka")
    assert after.state is AgentState.PARTIAL
    assert after.verdict() is ExitCode.FAILED
    assert lease(store, NOW + 1) == []
    assert restore(store).state is AgentState.RESTORING


def test_probation_ends_after_its_time(store: Store) -> None:
    trip = kill(store, points=())
    restore(store)
    with store.ledger() as ledger:
        assert trips.end_probation(ledger, NOW + PROBATION_S - 0.1) == 0
        assert trips.end_probation(ledger, NOW + PROBATION_S) == 1
    assert get(store, trip.trip_id).state is AgentState.ACTIVE


def test_watching_counts_once_and_tells_news(store: Store) -> None:
    trip = kill(store, points=())

    def record(watched_to: int, effective: list[float], refused: int) -> bool:
        with store.ledger() as ledger:
            return trips.record_watch(
                ledger,
                trip.trip_id,
                effective=effective,
                refused=refused,
                watched_to=watched_to,
                receivers=RECEIVERS,
                now_s=NOW + 50,
            )

    def silence() -> bool:
        with store.ledger() as ledger:
            return trips.mark_silent(ledger, trip.trip_id, receivers=RECEIVERS, now_s=NOW + 60)

    assert record(10, [NOW + 5, NOW + 7], 3)
    assert not record(10, [NOW + 5, NOW + 7], 3)  # read again after a crash
    assert silence()
    assert not silence()
    quiet = get(store, trip.trip_id)
    assert (quiet.effective_count, quiet.refused_count) == (2, 3)
    assert (quiet.first_effective_at, quiet.last_effective_at) == (NOW + 5, NOW + 7)
    assert quiet.state is AgentState.SILENT
    assert quiet.time_to_silence_s == 7.0
    assert record(12, [NOW + 70], 0)
    assert get(store, trip.trip_id).state is AgentState.CONTAINED
    assert get(store, trip.trip_id).time_to_silence_s is None
    assert silence()
    with store.read() as ledger:
        (watched,) = trips.watched(ledger)
    assert (watched.silent, watched.watched_to, watched.held_at) == (True, 12, NOW)
    assert kinds(store)[2:] == ["trip_effective", "trip_silent", "trip_effective", "trip_silent"]


def watch(store: Store, trip: trips.Trip, watched_to: int, at_s: float, **seen: Any) -> bool:
    values: dict[str, Any] = {"effective": [], "refused": 0, "receivers": RECEIVERS, **seen}
    with store.ledger() as ledger:
        return trips.record_watch(ledger, trip.trip_id, watched_to=watched_to, now_s=at_s, **values)


def test_an_agent_that_still_acts_is_told_once_a_minute_while_it_goes_on(store: Store) -> None:
    trip = kill(store, points=())
    for number, second in enumerate(range(5, 130, 5), start=1):
        watch(store, trip, number, NOW + second, effective=[NOW + second])
    assert kinds(store)[2:] == ["trip_effective"] * 3
    with store.read() as ledger:
        docs = ledger.execute(select(outbox.c.doc).order_by(outbox.c.seq)).scalars().all()
    assert "1 action succeeded" in docs[2]
    assert "13 actions succeeded" in docs[3]
    assert "25 actions succeeded" in docs[4]


def test_actions_between_order_and_containment_are_counted_apart(store: Store) -> None:
    trip = kill(store)
    watch(store, trip, 4, NOW + 3, early=[NOW + 1, NOW + 2], refused=1)
    assert not watch(store, trip, 4, NOW + 3, early=[NOW + 1, NOW + 2])
    seen = get(store, trip.trip_id)
    assert (seen.early_count, seen.last_early_at, seen.effective_count) == (2, NOW + 2, 0)
    assert seen.order_to_last_effective_s == 2.0
    assert kinds(store) == ["trip_ordered"], "nobody is woken for what containment is to end"


def test_a_partial_trip_is_proven_too_and_stays_partial(store: Store) -> None:
    trip = kill(store)
    with store.ledger() as ledger:
        trips.give_up(
            ledger, trip.trip_id, "kafka", reason="gone", by="os:a", receivers=RECEIVERS,
            now_s=NOW + 4,
        )  # fmt: skip
        (followed,) = trips.watched(ledger)
    assert (followed.held_at, followed.silent) == (NOW + 4, False)
    assert watch(store, trip, 1, NOW + 9, effective=[NOW + 8])

    def silence(at_s: float) -> bool:
        with store.ledger() as ledger:
            return trips.mark_silent(ledger, trip.trip_id, receivers=RECEIVERS, now_s=at_s)

    assert silence(NOW + 50)
    assert not silence(NOW + 51)
    quiet = get(store, trip.trip_id)
    assert (quiet.state, quiet.partial_at, quiet.contained_at) == ("partial", NOW + 4, None)
    assert (quiet.silent_at, quiet.time_to_silence_s) == (NOW + 50, 8.0)
    assert quiet.order_to_containment_s is None
    assert watch(store, trip, 2, NOW + 55, effective=[NOW + 55])
    awake = get(store, trip.trip_id)
    assert (awake.state, awake.silent_at) == ("partial", None)
    told = ["trip_ordered", "trip_partial", "trip_effective", "trip_silent", "trip_effective"]
    assert kinds(store) == told


def test_automatic_trips_are_counted_for_the_cap(store: Store) -> None:
    kill(store, agent_id="a")
    kill(store, agent_id="b", automatic=True, ordered_by="rule:x")
    with store.read() as ledger:
        assert trips.automatic_since(ledger, NOW) == 1
        assert trips.automatic_since(ledger, NOW + 1) == 0


def test_hostile_texts_are_kept_as_far_as_a_database_can(store: Store) -> None:
    text = "\x00'; DROP TABLE trips; -- \ud800" + "x" * 1_000_000
    trip = kill(store, reason=text)
    assert len(trip.reason) == 2000
    (leased,) = lease(store, NOW)
    assert settle(store, leased, NOW, text)
    with store.read() as ledger:
        assert audit.verify(ledger) is None


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
