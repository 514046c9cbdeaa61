"""Driving enforcement points: what fails, what comes back, who drives."""

import threading
import time

import pytest

from alerting.killswitch import AgentState
from alerting.ports import RevokeError
from monitor.config import StoreConfig
from monitor.kill_lane import Driver
from monitor.ledger import trips
from monitor.ledger.points import MAX_BACKOFF_S
from monitor.store import Store
from tests.kit.gate import (
    Gate,
    drive,
    driver,
    error,
    kill,
    restore,
    running,
    state,
)
from tests.kit.postgres import Postgres
from tests.kit.waiting import WAIT_S, until


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


def test_a_point_that_this_process_does_not_know_is_left_to_others(store: Store) -> None:
    kill(store)
    assert not Driver(store, {}, owner="one", receivers=(), timeout_s=1.0).start_due()


def test_the_lane_survives_a_system_that_gives_no_more_threads(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    starts = threading.Thread.start
    refused: list[str] = []

    def start_but_for_the_first_attempt(thread: threading.Thread) -> None:
        if thread.name.startswith("attempt") and not refused:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        starts(thread)

    monkeypatch.setattr(threading.Thread, "start", start_but_for_the_first_attempt)
    trip_id = kill(store)
    with running(store, driver(store, Gate(), timeout_s=0.2)):
        until(lambda: state(store, trip_id) is AgentState.CONTAINED)
    assert "kill lane: unexpected RuntimeError; trying again" in caplog.text


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
