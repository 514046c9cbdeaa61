"""A kill while the store is down: what can be reached is told, the journal taken in later."""

import json
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import monitor.cli  # noqa: F401 # registers the commands
from alerting.killswitch import AgentState
from monitor import audit_journal, break_glass, journal
from monitor.cli.app import run
from monitor.config import StoreConfig
from monitor.errors import ExitCode
from monitor.ledger import agents
from monitor.store import Store
from tests.kit.broker import Broker
from tests.kit.postgres import Postgres
from tests.kit.revocations import last_of

pytestmark = [
    pytest.mark.service,
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <.*socket:pytest.PytestUnraisableExceptionWarning"
    ),
]


@pytest.fixture
def revocations(monkeypatch: pytest.MonkeyPatch, kafka: Broker) -> str:
    """A fresh topic of a broker that is up."""
    name = f"revocations-{uuid.uuid4().hex[:8]}"
    monkeypatch.setenv("TRIPSWITCH_KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("TRIPSWITCH_KAFKA__REVOCATIONS_TOPIC", name)
    monkeypatch.setenv("TRIPSWITCH_TRIP__POINT_TIMEOUT_S", "10")
    return name


@pytest.fixture
def down(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Postgres]:
    """A PostgreSQL with a store in it; the test stops it, and may start it again."""
    server = Postgres(tmp_path_factory.mktemp("down"))
    url = server.new_database()
    Store.open(StoreConfig(url=url)).close()
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", url)
    yield server
    server.close()


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = run([*arguments, "--reason", "INC-42", "--json"])
    (line,) = capsys.readouterr().out.splitlines()
    return code, json.loads(line)


def states(answer: dict[str, Any]) -> dict[str, str]:
    return {point["point"]: point["state"] for point in answer["points"]}


def test_with_the_store_down_points_are_told_and_a_later_restore_wins(
    capsys: pytest.CaptureFixture[str], kafka: Broker, revocations: str, down: Postgres
) -> None:
    assert call(capsys, "kill", "a")[0] == ExitCode.DONE
    assert call(capsys, "restore", "a")[0] == ExitCode.DONE
    down.stop()
    code, answer = call(capsys, "kill", "a")
    assert (code, answer["break_glass"]) == (ExitCode.PARTLY, True)
    assert states(answer) == {"registry": "failed", "kafka": "confirmed"}
    last = last_of(kafka.bootstrap_servers, revocations, "a")
    assert last is not None
    assert (last["state"], last["order_seq"]) == ("revoked", answer["order_seq"])

    path = Path(answer["journal"])
    assert path.stat().st_mode & 0o777 == 0o600
    intent, outcome = audit_journal.read(path)
    assert (intent.action, intent.points) == ("kill ordered", [])
    assert states(answer) == {point.point: point.state for point in outcome.points}
    assert (intent.agent_id, intent.reason, intent.actor) == ("a", "INC-42", answer["ordered_by"])

    down.start()
    assert run(["audit", "import", str(path)]) == ExitCode.DONE
    capsys.readouterr()
    code, listed = _trips(capsys)
    assert (listed["state"], listed["reason"]) == ("contained", "INC-42")
    code, answer = call(capsys, "restore", "a")
    assert (code, answer["state"]) == (ExitCode.DONE, AgentState.PROBATION)
    restored = last_of(kafka.bootstrap_servers, revocations, "a")
    assert restored is not None
    assert (restored["state"], restored["order_seq"] > last["order_seq"]) == ("active", True)


def _trips(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    from monitor import config
    from monitor.enforcement import point_names
    from monitor.ledger import trips

    chosen = config.load()
    assert "kafka" in point_names(chosen)
    with closing(Store.open(chosen.store)) as store, store.read() as ledger:
        (trip_id,) = [t.trip_id for t in trips.list_trips(ledger, "a", 1)]
        assert agents.state_of(ledger, "a") in ("tripping", "contained")
    code = run(["kill", "a", "--reason", "to the end", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["trip_id"] == trip_id
    return code, found


def test_with_everything_down_it_says_that_nothing_was_cut_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, down: Postgres
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{probe.getsockname()[1]}"
    monkeypatch.setenv("TRIPSWITCH_KAFKA__BOOTSTRAP_SERVERS", nobody)
    monkeypatch.setenv("TRIPSWITCH_TRIP__POINT_TIMEOUT_S", "0.5")
    down.stop()
    code, answer = call(capsys, "kill", "a")
    assert code == answer["exit_code"] == ExitCode.FAILED
    assert states(answer) == {"registry": "failed", "kafka": "failed"}
    assert run(["kill", "a", "--reason", "r"]) == ExitCode.FAILED
    said = capsys.readouterr().out
    assert "the registry was NOT reached" in said
    assert "revoke FAILED" in said
    assert f"tripswitch audit import {answer['journal']}" in said
    assert len(audit_journal.read(Path(answer["journal"]))) == 4
    down.start()


def test_a_store_that_never_answers_is_given_up(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, revocations: str
) -> None:
    """It accepts connections, as a frozen server does, and says nothing."""
    monkeypatch.setattr(break_glass, "STORE_WAIT_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("TRIPSWITCH_STORE__URL", f"postgresql+psycopg://x@127.0.0.1:{port}/x")
        code, answer = call(capsys, "kill", "a")
    assert (code, states(answer)["kafka"]) == (ExitCode.PARTLY, "confirmed")
    assert "did not answer within 1 s" in answer["store_error"]
    for thread in threading.enumerate():
        if thread.name == "store":
            thread.join(60)


def test_a_journal_that_cannot_be_written_stops_no_kill(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    revocations: str,
) -> None:
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", "postgresql+psycopg://x@127.0.0.1:1/x")
    (tmp_path / "state" / "tripswitch" / journal.FILE_NAME).mkdir(parents=True)
    code, answer = call(capsys, "kill", "a")
    assert (code, states(answer)["kafka"]) == (ExitCode.PARTLY, "confirmed")
    assert answer["journal_error"]
