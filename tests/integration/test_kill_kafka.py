"""Kill orders around a real broker that goes away and comes back."""

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import monitor.cli  # noqa: F401 # registers the commands
from alerting.killswitch import Direction, Order
from alerting.notify.contract import stopwatch
from alerting.ports import RevokeError
from monitor import config as settings
from monitor.cli.app import run
from monitor.config_source import KafkaConfig
from monitor.enforcement import enforcement_points, kafka_point
from monitor.errors import ExitCode
from monitor.kill_lane import Driver, KillLane
from monitor.store import Store
from tests.kit.broker import Broker
from tests.kit.revocations import last_of, read_topic

pytestmark = [
    pytest.mark.service,
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <.*socket:pytest.PytestUnraisableExceptionWarning"
    ),
]

WAIT_S = 60.0


@pytest.fixture
def revocations(kafka: Broker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The settings name the broker, a store and this fresh topic."""
    name = f"revocations-{uuid.uuid4().hex[:8]}"
    monkeypatch.setenv("TRIPSWITCH_KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("TRIPSWITCH_KAFKA__REVOCATIONS_TOPIC", name)
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setenv("TRIPSWITCH_TRIP__POINT_TIMEOUT_S", "10")
    return name


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = run([*arguments, "--json"])
    (line,) = capsys.readouterr().out.splitlines()
    return code, json.loads(line)


def states(answer: dict[str, Any]) -> dict[str, str]:
    return {point["point"]: point["state"] for point in answer["points"]}


@contextmanager
def kill_lane() -> Iterator[None]:
    """The daemon's lane, from the same settings."""
    config = settings.load()
    store = Store.open(config.store)
    driver = Driver(store, enforcement_points(config), owner="daemon", receivers=(), timeout_s=10.0)
    lane = KillLane(driver, store.url)
    lane.start()
    try:
        yield
    finally:
        lane.stop(WAIT_S)
        store.close()


def order(direction: Direction, order_seq: int) -> Order:
    return Order(
        trip_id="t1",
        agent_id="a",
        direction=direction,
        order_seq=order_seq,
        reason="why",
        ordered_by="os:alice",
        ordered_at=datetime.now(UTC),
    )


def test_kill_and_restore_reach_the_topic(
    capsys: pytest.CaptureFixture[str], kafka: Broker, revocations: str
) -> None:
    code, answer = call(capsys, "kill", "a", "--reason", "INC-42")
    assert (code, answer["state"]) == (ExitCode.DONE, "contained")
    last = last_of(kafka.bootstrap_servers, revocations, "a")
    assert last is not None
    assert (last["state"], last["reason"]) == ("revoked", "INC-42")
    killed_seq = last["order_seq"]
    assert last["trip_id"] == answer["trip_id"]
    code, answer = call(capsys, "restore", "a", "--reason", "false alarm")
    assert (code, answer["state"]) == (ExitCode.DONE, "probation")
    last = last_of(kafka.bootstrap_servers, revocations, "a")
    assert last is not None
    assert (last["state"], last["reason"]) == ("active", "false alarm")
    assert last["order_seq"] > killed_seq


def test_an_order_without_a_broker_is_confirmed_once_it_is_back(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    kafka: Broker,
    revocations: str,
) -> None:
    kafka.stop()
    try:
        monkeypatch.setenv("TRIPSWITCH_TRIP__POINT_TIMEOUT_S", "2")
        with stopwatch() as passed_s:
            code, answer = call(capsys, "kill", "a", "--reason", "INC-42")
            assert passed_s() < 2 + 3
    finally:
        kafka.start()
    assert code == ExitCode.PARTLY
    assert states(answer) == {"registry": "confirmed", "kafka": "pending"}
    with kill_lane():
        deadline = time.monotonic() + WAIT_S
        while (trip := _trips(capsys)[0])["state"] != "contained":
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert states(trip) == {"registry": "confirmed", "kafka": "confirmed"}
    last = last_of(kafka.bootstrap_servers, revocations, "a")
    assert last is not None
    assert last["state"] == "revoked"


def test_a_broker_that_froze_never_gets_an_old_order_behind_a_new_one(
    kafka: Broker, revocations: str
) -> None:
    point = kafka_point(
        KafkaConfig(bootstrap_servers=kafka.bootstrap_servers, revocations_topic=revocations)
    )
    point.restore(order("restore", 1), WAIT_S)
    last_seq = 1
    for delay_s in (0.0, 0.02, 0.04, 0.06, 0.08, 0.1):  # while connecting, while sending, after
        freeze = threading.Timer(delay_s, kafka.freeze)
        freeze.start()
        with stopwatch() as passed_s:
            with contextlib.suppress(RevokeError):
                point.revoke(order("revoke", last_seq + 1), 1.0)
            assert passed_s() < 2
        freeze.join()
        kafka.thaw()
        last_seq += 2
        point.restore(order("restore", last_seq), WAIT_S)
    time.sleep(1)
    arrived = [record["order_seq"] for record in read_topic(kafka.bootstrap_servers, revocations)]
    assert arrived == sorted(arrived)
    assert arrived[-1] == last_seq


def _trips(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run(["trips", "--json"]) == ExitCode.DONE
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]
