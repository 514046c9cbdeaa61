"""Attempts that hang, or come back too late, or are many."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from alerting.killswitch import AgentState, PointState
from monitor.attempts import Limits
from monitor.kill_lane import Driver
from monitor.ledger import trips
from monitor.store import Store
from monitor.store.schema import points
from tests.kit.gate import (
    Gate,
    Hanging,
    directions,
    drive,
    driver,
    error,
    kill,
    point,
    restore,
    running,
    state,
)
from tests.kit.waiting import WAIT_S, until


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    point = Hanging()
    yield point
    point.open.set()


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
        stuck = {
            "ignores its limit of 1 s and hangs",
            "all 2 attempts at once that it may have hang",
        }
        until(lambda: {error(store, t, "hanging") for t in trip_ids} <= stuck)
        assert len(hanging.orders) == 2  # the others are not even sent, and that is said
        hanging.open.set()
        until(lambda: all(state(store, t) is AgentState.CONTAINED for t in trip_ids))


def drive_until(slow: Driver, trip_id: str, true: Callable[[], object]) -> None:
    """Drive again and again: a machine that stands still does not begin an attempt in time."""

    def driven() -> object:
        slow.drive_trip(trip_id, time.time() + WAIT_S)
        return true()

    until(driven)


def test_a_restore_waits_for_a_revocation_that_hangs(store: Store, hanging: Hanging) -> None:
    slow = driver(store, hanging, timeout_s=1.0)
    trip_id = kill(store)
    drive_until(slow, trip_id, lambda: hanging.orders)
    restore(store, probation_s=3600)
    why = "an earlier order about this agent still hangs there"
    drive_until(slow, trip_id, lambda: error(store, trip_id) == why)
    assert directions(hanging) == {"revoke"}
    hanging.open.set()
    with running(store, slow):
        until(lambda: state(store, trip_id) is AgentState.PROBATION)
    assert hanging.orders[-1].direction == "restore"


def test_what_lands_late_is_followed_by_the_present_order(store: Store, hanging: Hanging) -> None:
    """The revocation hangs in one process while another one restores; then it lands."""
    elsewhere = Gate()
    slow = driver(store, hanging, timeout_s=1.0)
    trip_id = kill(store)
    drive_until(slow, trip_id, lambda: hanging.orders)
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


def test_an_attempt_that_gets_no_thread_takes_no_room(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    trip_id = kill(store)
    one = driver(store, gate)
    room = one._attempts.room()

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="new thread"):
            one.start_due()
    assert one._attempts.room() == room
    one.drain(0.0)
    with store.ledger() as ledger:
        ledger.execute(points.update().values(lease_until=0.0))  # it has run out
    drive(store, gate, trip_id)
    assert state(store, trip_id) is AgentState.CONTAINED


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
