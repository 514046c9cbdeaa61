"""Driving enforcement points: what fails, what comes back, who drives."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from alerting.killswitch import AgentState, Order
from alerting.ports import RevokeError
from monitor.config import StoreConfig
from monitor.kill_lane import Driver, KillLane
from monitor.ledger import trips
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

    def apply(self, order: Order, timeout_s: float) -> None:
        self.orders.append(order)
        self.open.wait(timeout_s)
        if self.script:
            raise self.script.pop(0)

    def close(self) -> None:
        """Nothing to release."""


def driver(store: Store, gate: Gate, owner: str = "one", timeout_s: float = 2.0) -> Driver:
    return Driver(store, {"gate": gate}, owner=owner, receivers=(), timeout_s=timeout_s)


@contextmanager
def running(store: Store, gate: Gate) -> Iterator[KillLane]:
    lane = KillLane(driver(store, gate), store.url)
    lane.start()
    try:
        yield lane
    finally:
        lane.stop(WAIT_S)
        assert not lane.is_alive()


def kill(store: Store, agent_id: str = "a") -> str:
    with store.ledger() as ledger:
        return trips.order_kill(
            ledger,
            agent_id=agent_id,
            reason="why",
            ordered_by="os:alice",
            automatic=False,
            now_s=time.time(),
            points=("gate",),
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
    with running(store, gate) as lane:
        trip_id = kill(store)
        lane.wake()
        until(lambda: state(store, trip_id) is AgentState.CONTAINED)
        restore(store, probation_s=0.1)
        until(lambda: state(store, trip_id) is AgentState.ACTIVE)
    assert [order.direction for order in gate.orders] == ["revoke", "restore"]


def test_what_fails_is_tried_until_it_confirms(store: Store) -> None:
    gate = Gate(RevokeError("away"), ZeroDivisionError("token=s3cret"))
    with running(store, gate):
        trip_id = kill(store)
        until(lambda: len(gate.orders) == 2)
        until(lambda: error(store, trip_id) == "failed with ZeroDivisionError")
        until(lambda: state(store, trip_id) is AgentState.CONTAINED)
    assert error(store, trip_id) is None


def error(store: Store, trip_id: str) -> str | None:
    with store.read() as ledger:
        return trips.get(ledger, trip_id).points[0].last_error


def test_two_processes_never_drive_one_point_at_once(store: Store) -> None:
    gate = Gate()
    gate.open.clear()
    trip_id = kill(store)
    other = threading.Thread(target=driver(store, gate, "two").drive_next)
    other.start()
    until(lambda: len(gate.orders) == 1)
    waiting = threading.Thread(
        target=driver(store, gate).drive_trip, args=(trip_id, time.time() + WAIT_S)
    )
    waiting.start()
    time.sleep(0.2)
    assert waiting.is_alive()  # it waits for the one who holds the lease
    gate.open.set()
    other.join(WAIT_S)
    waiting.join(WAIT_S)
    assert len(gate.orders) == 1
    assert state(store, trip_id) is AgentState.CONTAINED


def test_a_command_tries_once_and_leaves_the_rest_to_the_lane(store: Store) -> None:
    gate = Gate(RevokeError("away"), RevokeError("away"))
    trip_id = kill(store)
    started = time.monotonic()
    driver(store, gate).drive_trip(trip_id, time.time() + WAIT_S)
    assert time.monotonic() - started < 2
    assert len(gate.orders) == 1
    assert state(store, trip_id) is AgentState.TRIPPING


def test_a_process_that_stood_still_does_not_send(store: Store) -> None:
    gate = Gate()
    trip_id = kill(store)
    with store.ledger() as ledger:
        (leased,) = trips.lease_due(ledger, "one", time.time(), 0.0, only=("gate",))
        settled = driver(store, gate)._attempt(leased)
    assert settled is not None
    assert gate.orders == []
    assert state(store, trip_id) is AgentState.TRIPPING


def test_a_point_that_this_process_does_not_know_is_left_to_others(store: Store) -> None:
    kill(store)
    assert not Driver(store, {}, owner="one", receivers=(), timeout_s=1.0).drive_next()


@pytest.mark.service
def test_the_lane_survives_a_store_that_is_down(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    own = Postgres(tmp_path_factory.mktemp("own-postgres"))
    store = Store.open(StoreConfig(url=own.new_database()))
    try:
        gate = Gate()
        with running(store, gate):
            own.stop()
            time.sleep(1.2)
            own.start()
            trip_id = kill(store)
            until(lambda: state(store, trip_id) is AgentState.CONTAINED)
    finally:
        store.close()
        own.close()
