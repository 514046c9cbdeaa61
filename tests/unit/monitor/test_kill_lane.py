"""Driving enforcement points: what fails, what comes back, who drives."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from alerting.killswitch import AgentState, Order, PointState
from alerting.ports import RevokeError
from monitor.attempts import Limits
from monitor.config import StoreConfig
from monitor.kill_lane import Driver, KillLane
from monitor.ledger import trips
from monitor.ledger.points import MAX_BACKOFF_S
from monitor.store import Store
from tests.kit.postgres import Postgres

WAIT_S = 20.0


class Gate:
    """A point in this process that does what `script` says, then confirms."""

    name = "gate"

    def __init__(self, *script: Exception) -> None:
        self.script = list(script)
        self.orders: list[Order] = []
        self.open = threading.Event()
        self.open.set()
        self.verified: bool | None = None

    def check(self, timeout_s: float = 5.0) -> None:
        """Always ready."""

    def revoke(self, order: Order, timeout_s: float) -> None:
        self.orders.append(order)
        self.open.wait(timeout_s)
        if self.script:
            raise self.script.pop(0)

    def restore(self, order: Order, timeout_s: float) -> None:
        self.revoke(order, timeout_s)

    def verify(self, order: Order, timeout_s: float) -> bool | None:
        return self.verified

    def close(self) -> None:
        """Nothing to release."""


class Hanging(Gate):
    """Ignores its time limit until `open` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.open.clear()

    def revoke(self, order: Order, timeout_s: float) -> None:
        self.orders.append(order)
        self.open.wait()


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    point = Hanging()
    yield point
    point.open.set()


def driver(store: Store, gate: Gate, owner: str = "one", timeout_s: float = 2.0) -> Driver:
    return Driver(store, {"gate": gate}, owner=owner, receivers=(), timeout_s=timeout_s)


def drive(store: Store, gate: Gate, trip_id: str) -> None:
    driver(store, gate).drive_trip(trip_id, time.time() + WAIT_S)


@contextmanager
def running(store: Store, driver: Driver) -> Iterator[KillLane]:
    lane = KillLane(driver, store.url)
    lane.start()
    try:
        yield lane
    finally:
        lane.stop(WAIT_S)
        assert not lane.is_alive()


def kill(store: Store, agent_id: str = "a", points: tuple[str, ...] = ("gate",)) -> str:
    with store.ledger() as ledger:
        return trips.order_kill(
            ledger,
            agent_id=agent_id,
            reason="why",
            ordered_by="os:alice",
            automatic=False,
            now_s=time.time(),
            points=points,
            receivers=(),
        ).trip_id


def restore(store: Store, probation_s: float) -> None:
    with store.ledger() as ledger:
        trips.order_restore(
            ledger,
            agent_id="a",
            reason="false alarm",
            ordered_by="os:alice",
            now_s=time.time(),
            probation_s=probation_s,
            receivers=(),
        )


def state(store: Store, trip_id: str) -> AgentState | None:
    with store.read() as ledger:
        return trips.get(ledger, trip_id).state


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_lane_does_what_another_process_ordered(store: Store) -> None:
    gate = Gate()
    with running(store, driver(store, gate)) as lane:
        trip_id = kill(store)
        lane.wake()
        until(lambda: state(store, trip_id) is AgentState.CONTAINED)
        restore(store, probation_s=0.1)
        until(lambda: state(store, trip_id) is AgentState.ACTIVE)
    assert [order.direction for order in gate.orders] == ["revoke", "restore"]


def test_what_fails_is_tried_until_it_confirms(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate(RevokeError("away"), ZeroDivisionError("token=s3cret"))
    trip_id = kill(store)
    with running(store, driver(store, gate)):
        until(lambda: state(store, trip_id) is AgentState.CONTAINED)
    assert len(gate.orders) == 3
    assert error(store, trip_id) is None
    assert "gate: failed with ZeroDivisionError" in caplog.text
    assert "s3cret" not in caplog.text


def point(store: Store, trip_id: str, name: str = "gate") -> trips.Point:
    with store.read() as ledger:
        return next(p for p in trips.get(ledger, trip_id).points if p.point == name)


def error(store: Store, trip_id: str, name: str = "gate") -> str | None:
    return point(store, trip_id, name).last_error


def test_two_processes_never_drive_one_point_at_once(store: Store) -> None:
    gate = Gate()
    gate.open.clear()
    trip_id = kill(store)
    assert driver(store, gate, "two", timeout_s=WAIT_S).start_due() == 1
    until(lambda: len(gate.orders) == 1)
    waiting = threading.Thread(target=drive, args=(store, gate, trip_id))
    waiting.start()
    time.sleep(0.2)
    assert waiting.is_alive()  # it waits for the one who holds the lease
    gate.open.set()
    waiting.join(WAIT_S)
    assert len(gate.orders) == 1
    assert state(store, trip_id) is AgentState.CONTAINED


def test_a_command_tries_once_and_leaves_the_rest_to_the_lane(store: Store) -> None:
    gate = Gate(RevokeError("away", retry_after_s=60.0))
    trip_id = kill(store)
    drive(store, gate, trip_id)
    assert len(gate.orders) == 1
    assert state(store, trip_id) is AgentState.TRIPPING
    assert error(store, trip_id) == "away"


def test_what_says_done_and_is_not_is_not_confirmed(store: Store) -> None:
    gate = Gate()
    gate.verified = False
    trip_id = kill(store)
    drive(store, gate, trip_id)
    assert error(store, trip_id) == "answered that the revoke is done, but it is not"
    assert state(store, trip_id) is AgentState.TRIPPING
    gate.verified = True
    with running(store, driver(store, gate)):
        until(lambda: state(store, trip_id) is AgentState.CONTAINED)


@pytest.mark.parametrize(("asked_s", "granted_s"), [(7.0, 7.0), (86_400.0, MAX_BACKOFF_S)])
def test_a_point_that_asks_for_rest_gets_it_within_reason(
    store: Store, asked_s: float, granted_s: float
) -> None:
    trip_id = kill(store)
    before_s = time.time()
    drive(store, Gate(RevokeError("busy", retry_after_s=asked_s)), trip_id)
    with store.read() as ledger:
        due_at = trips.get(ledger, trip_id).points[0].due_at
    assert before_s + granted_s <= due_at <= time.time() + 1.5 * granted_s


def test_a_process_that_stood_still_does_not_send(store: Store) -> None:
    gate = Gate()
    trip_id = kill(store)
    with store.ledger() as ledger:
        (leased,) = trips.lease_due(ledger, "one", time.time(), 0.0, only=("gate",))
    slow = driver(store, gate)
    slow._attempts.start(leased)
    slow.drain(WAIT_S)
    assert gate.orders == []
    assert "stood still" in str(error(store, trip_id))
    assert state(store, trip_id) is AgentState.TRIPPING


def test_a_point_that_this_process_does_not_know_is_left_to_others(store: Store) -> None:
    kill(store)
    assert not Driver(store, {}, owner="one", receivers=(), timeout_s=1.0).start_due()


def test_a_point_that_hangs_delays_no_other(store: Store, hanging: Hanging) -> None:
    gate = Gate()
    both = Driver(
        store,
        {"hanging": hanging, "gate": gate},
        owner="one",
        receivers=(),
        timeout_s=WAIT_S,
        limits={"hanging": Limits(1.0, max_parallel=2)},
    )
    with running(store, both) as lane:
        trip_ids = [kill(store, f"a{n}", points=("hanging", "gate")) for n in range(6)]
        lane.wake()
        until(lambda: len(gate.orders) == 6)
        until(lambda: all(error(store, t, "hanging") for t in trip_ids))
        assert len(hanging.orders) == 2  # the others are not even sent, and that is said
        assert {error(store, t, "hanging") for t in trip_ids} <= {
            "ignores its limit of 1 s and hangs",
            "all 2 attempts at once that it may have hang",
        }
        hanging.open.set()
        until(lambda: all(state(store, t) is AgentState.CONTAINED for t in trip_ids))


def directions(point: Gate) -> set[str]:
    return {order.direction for order in point.orders}


def test_a_restore_waits_for_a_revocation_that_hangs(store: Store, hanging: Hanging) -> None:
    slow = driver(store, hanging, timeout_s=1.0)
    trip_id = kill(store)
    slow.drive_trip(trip_id, time.time() + WAIT_S)
    restore(store, probation_s=3600)
    slow.drive_trip(trip_id, time.time() + WAIT_S)
    assert directions(hanging) == {"revoke"}
    assert error(store, trip_id) == "an earlier order about this agent still hangs there"
    hanging.open.set()
    with running(store, slow):
        until(lambda: state(store, trip_id) is AgentState.PROBATION)
    assert hanging.orders[-1].direction == "restore"


def test_what_lands_late_is_followed_by_the_present_order(store: Store, hanging: Hanging) -> None:
    """The revocation hangs in one process while another one restores; then it lands."""
    elsewhere = Gate()
    slow = driver(store, hanging, timeout_s=1.0)
    trip_id = kill(store)
    slow.drive_trip(trip_id, time.time() + WAIT_S)
    restore(store, probation_s=3600)
    drive(store, elsewhere, trip_id)
    assert state(store, trip_id) is AgentState.PROBATION
    hanging.open.set()
    until(lambda: slow._attempts.room()["gate"] == Limits(1.0).max_parallel)
    assert point(store, trip_id).state is PointState.PENDING
    drive(store, elsewhere, trip_id)
    assert len(elsewhere.orders) >= 2
    assert directions(elsewhere) == {"restore"}
    assert point(store, trip_id).state is PointState.CONFIRMED


def test_many_orders_at_one_point_go_on_side_by_side(store: Store) -> None:
    gate = Gate()
    gate.open.clear()
    with running(store, driver(store, gate, timeout_s=WAIT_S)) as lane:
        for n in range(20):
            kill(store, f"a{n}")
        lane.wake()
        until(lambda: len(gate.orders) == Limits(1.0).max_parallel)
        time.sleep(0.2)
        assert len(gate.orders) == Limits(1.0).max_parallel
        gate.open.set()
        until(lambda: len(gate.orders) == 20)
    assert len({order.agent_id for order in gate.orders}) == 20


@pytest.mark.service
def test_the_lane_survives_a_store_that_is_down(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    own = Postgres(tmp_path_factory.mktemp("own-postgres"))
    store = Store.open(StoreConfig(url=own.new_database()))
    try:
        gate = Gate()
        with running(store, driver(store, gate)):
            own.stop()
            time.sleep(1.2)
            own.start()
            trip_id = kill(store)
            until(lambda: state(store, trip_id) is AgentState.CONTAINED)
    finally:
        store.close()
        own.close()
