"""An enforcement point in this process that fails or hangs as it is told, and what drives it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from alerting.killswitch import AgentState, Order
from monitor.kill_lane import Driver, KillLane
from monitor.ledger import trips
from monitor.store import Store
from tests.kit.waiting import WAIT_S


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


def driver(store: Store, gate: Gate, owner: str = "one", timeout_s: float = 20.0) -> Driver:
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


def point(store: Store, trip_id: str, name: str = "gate") -> trips.Point:
    with store.read() as ledger:
        return next(p for p in trips.get(ledger, trip_id).points if p.point == name)


def error(store: Store, trip_id: str, name: str = "gate") -> str | None:
    return point(store, trip_id, name).last_error


def directions(point: Gate) -> set[str]:
    return {order.direction for order in point.orders}
