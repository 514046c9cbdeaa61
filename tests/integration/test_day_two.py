"""What operators do to a running daemon: reload, stop at a bad moment."""

import signal
import socket
import time
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer  # type: ignore[import-untyped]

from alerting.notify.contract import stopwatch
from monitor.config import StoreConfig
from monitor.last_call import STOP_WITHIN_S
from monitor.store import Store, inventory
from tests.kit.broker import Broker
from tests.kit.daemon import PATIENCE_S, Daemon
from tests.kit.events import START_S, raw_event
from tests.kit.slack_server import CHANNEL, TOKEN

SHADOW = """
[[boundaries]]
tools = ["read_ledger"]
mode = "alert"
"""


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    file = tmp_path / "tripswitch.toml"
    file.write_text("")
    return {
        "TRIPSWITCH_CONFIG": str(file),
        "TRIPSWITCH_SOURCE__PATH": str(tmp_path / "events.jsonl"),
        "TRIPSWITCH_STORE__URL": f"sqlite:///{tmp_path / 'ledger.db'}",
        "TRIPSWITCH_STORE__CHECKPOINT_INTERVAL_S": "0.2",
    }


def write(tmp_path: Path, number: int, tool: str, **fields: str) -> None:
    with (tmp_path / "events.jsonl").open("ab") as log:
        log.write(raw_event(number, START_S + number, tool=tool, **fields) + b"\n")


def profiles(settings: dict[str, str]) -> int:
    """How many the checkpoints hold."""
    store = Store.open(StoreConfig(url=settings["TRIPSWITCH_STORE__URL"]))
    with closing(store), store.read_state() as state:
        return inventory.tally(state)[0]


def test_a_reload_takes_over_boundaries_and_a_bad_file_changes_nothing(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    file = tmp_path / "tripswitch.toml"
    daemon = Daemon(tmp_path, settings)
    write(tmp_path, 1, "transfer_money")
    daemon.start()
    daemon.wait_for(lambda: profiles(settings) == 1)
    file.write_text(SHADOW + "\n[kafka]\nclient_id = 'other'\n")
    daemon.reload()
    daemon.wait_for(
        lambda: "settings reloaded; a restart is needed for kafka" in daemon.log.read_text()
    )
    write(tmp_path, 2, "transfer_money")
    daemon.wait_for(lambda: "did “transfer_money”" in daemon.log.read_text())
    assert daemon.log.read_text().count("alert opened") == 1  # what was judged before stays judged
    file.write_text("[[boundaries]]\ntols = ['x']\n")
    daemon.reload()
    daemon.wait_for(lambda: "reload refused, all stays as it was" in daemon.log.read_text())
    assert "did you mean 'tools'?" in daemon.log.read_text()
    write(tmp_path, 3, "wipe_disk", agent_id="other")
    daemon.wait_for(lambda: "did “wipe_disk”" in daemon.log.read_text())
    assert daemon.stop() == 0


def test_it_stops_at_any_moment(tmp_path: Path, settings: dict[str, str]) -> None:
    """Also while it starts: nothing is left that a next start would stumble over."""
    for number, pause_s in enumerate((0.2, 1.0, 3.0)):
        write(tmp_path, number, "read_ledger", agent_id=f"agent-{number}")
        daemon = Daemon(tmp_path, settings)
        daemon.start()
        time.sleep(pause_s)
        assert daemon.stop() in (0, -signal.SIGTERM)  # the latter before Python itself was up
    write(tmp_path, 3, "read_ledger", agent_id="agent-3")  # nobody but the last one reads it
    daemon = Daemon(tmp_path, settings)
    daemon.start()
    daemon.wait_for(lambda: profiles(settings) == 4)
    assert daemon.stop() == 0


def stopped_in_time(daemon: Daemon) -> bool:
    """Ask it to stop; whether it kept its promise, and ended well."""
    with stopwatch() as passed_s:
        return daemon.stop() == 0 and passed_s() < STOP_WITHIN_S


@pytest.mark.service
def test_it_stops_in_time_while_kafka_is_frozen(
    kafka: Broker, topic: str, tmp_path: Path, settings: dict[str, str]
) -> None:
    settings |= {
        "TRIPSWITCH_SOURCE__KIND": "kafka",
        "TRIPSWITCH_SOURCE__TOPIC": topic,
        "TRIPSWITCH_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "TRIPSWITCH_KAFKA__DEAD_LETTER_TOPIC": f"{topic}-dead",
        "TRIPSWITCH_KAFKA__AUDIT_TOPIC": f"{topic}-audit",
        "TRIPSWITCH_KAFKA__GROUP_ID": topic,
    }
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    producer.send(topic, raw_event(1, time.time()), b"payroll-1").get(60)
    producer.close()
    daemon = Daemon(tmp_path, settings)
    daemon.start()
    daemon.wait_for(lambda: profiles(settings) == 1)
    kafka.freeze()
    try:
        assert stopped_in_time(daemon)
    finally:
        kafka.thaw()
    # What was saved stands, and the next one goes on from there.
    daemon.start()
    daemon.wait_for(lambda: "going on at topic" in daemon.log.read_text())
    assert daemon.stop() == 0


def test_it_stops_in_time_while_a_receiver_hangs(tmp_path: Path, settings: dict[str, str]) -> None:
    (tmp_path / "tripswitch.toml").write_text(SHADOW)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, never answers
        settings |= {
            "TRIPSWITCH_SLACK__CHANNEL": CHANNEL,
            "TRIPSWITCH_SLACK__BOT_TOKEN": TOKEN,
            "TRIPSWITCH_SLACK__API_URL": f"http://127.0.0.1:{silent.getsockname()[1]}/",
        }
        write(tmp_path, 1, "transfer_money")
        daemon = Daemon(tmp_path, settings)
        daemon.start()
        daemon.wait_for(lambda: "alert opened" in daemon.log.read_text())
        silent.settimeout(PATIENCE_S)
        connection, _ = silent.accept()
        with connection:
            assert stopped_in_time(daemon)
