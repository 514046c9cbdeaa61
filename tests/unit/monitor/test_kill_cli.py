"""The commands of the kill switch as scripts see them: exit codes and JSON."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

import monitor.cli  # noqa: F401 # registers the commands
from alerting.notify.contract import stopwatch
from monitor.cli.app import run
from monitor.config import StoreConfig
from monitor.errors import ExitCode
from monitor.store import Store
from monitor.store.schema import audit, claims
from tests.kit.forge import drop_triggers

LEAKS = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning",
)
"""kafka-python leaves the sockets of refused connections to the garbage collector."""

POINT_KEYS = {
    "point", "direction", "order_seq", "state", "attempts", "next_try_at", "settled_at", "error",
}  # fmt: skip


@pytest.fixture
def named_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'named.db'}"
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", url)
    return url


@pytest.fixture
def no_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka is configured, and nobody listens there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("TRIPSWITCH_KAFKA__BOOTSTRAP_SERVERS", f"127.0.0.1:{port}")
    monkeypatch.setenv("TRIPSWITCH_TRIP__POINT_TIMEOUT_S", "0.5")


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    capsys.readouterr()
    code = run([*arguments, "--json"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def kill(capsys: pytest.CaptureFixture[str], agent: str) -> tuple[int, dict[str, Any]]:
    code, (answer,) = call(capsys, "kill", agent, "--reason", "INC-42")
    return code, answer


def states(answer: dict[str, Any]) -> dict[str, str]:
    assert all(set(point) == POINT_KEYS for point in answer["points"])
    return {point["point"]: point["state"] for point in answer["points"]}


def test_kill_says_all_that_a_script_needs(
    capsys: pytest.CaptureFixture[str], named_store: str
) -> None:
    code, answer = kill(capsys, "a")
    assert code == answer["exit_code"] == ExitCode.DONE
    assert (answer["agent_id"], answer["state"], answer["new"]) == ("a", "contained", True)
    assert (answer["seen"], answer["store"]) == (False, named_store)
    assert answer["ordered_by"].startswith("os:")
    assert states(answer) == {"registry": "confirmed"}
    code, again = kill(capsys, "a")
    assert (code, again["new"], again["trip_id"]) == (ExitCode.DONE, False, answer["trip_id"])


def test_an_agent_with_grants_was_seen(
    capsys: pytest.CaptureFixture[str], named_store: str
) -> None:
    assert run("grants add a --scope s --reason r --for 1h".split()) == ExitCode.DONE
    assert kill(capsys, "a")[1]["seen"] is True


def test_on_a_default_store_that_no_daemon_used_it_is_only_partly_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, answer = kill(capsys, "a")
    assert code == answer["exit_code"] == ExitCode.PARTLY
    assert states(answer) == {"registry": "confirmed"}
    assert any("no daemon has ever used" in note for note in answer["notes"])
    store = Store.open(StoreConfig())
    with store.ledger() as ledger:
        ledger.execute(
            insert(claims).values(source="t", partition=0, epoch=1, owner="x", claimed_at=1.0)
        )
    store.close()
    assert kill(capsys, "b")[0] == ExitCode.DONE


@LEAKS
@pytest.mark.usefixtures("named_store", "no_kafka")
def test_with_kafka_down_the_order_stands_and_kafka_is_pending(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with stopwatch() as passed_s:
        code, answer = kill(capsys, "a")
        assert passed_s() < 5
    assert code == answer["exit_code"] == ExitCode.PARTLY
    assert states(answer) == {"registry": "confirmed", "kafka": "pending"}
    (kafka,) = (point for point in answer["points"] if point["point"] == "kafka")
    assert "did not confirm within 0.5 s" in kafka["error"]
    code, (check,) = call(capsys, "grants", "check", "a", "--scope", "s")
    assert (code, check["allowed"]) == (ExitCode.FAILED, False)


@LEAKS
@pytest.mark.usefixtures("named_store", "no_kafka")
def test_a_point_can_be_given_up_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    trip_id = kill(capsys, "a")[1]["trip_id"]
    code, (answer,) = call(capsys, "trips", "give-up", trip_id, "kafka", "--reason", "gone")
    assert (code, answer["state"]) == (ExitCode.DONE, "partial")
    assert kill(capsys, "a")[0] == ExitCode.FAILED
    assert run(["trips", "give-up", trip_id, "fax", "--reason", "r"]) == ExitCode.NOT_FOUND
    assert run(["trips", "give-up", "x", "kafka", "--reason", "r"]) == ExitCode.NOT_FOUND


@pytest.mark.usefixtures("named_store")
def test_restore(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["restore", "a", "--reason", "r"]) == ExitCode.NOT_FOUND
    assert "never cut off" in capsys.readouterr().err
    kill(capsys, "a")
    code, (answer,) = call(capsys, "restore", "a", "--reason", "false alarm")
    assert code == answer["exit_code"] == ExitCode.DONE
    assert (answer["state"], answer["restore_reason"]) == ("probation", "false alarm")
    code, (again,) = call(capsys, "restore", "a", "--reason", "false alarm")
    assert (code, again["new"]) == (ExitCode.DONE, False)


@pytest.mark.usefixtures("named_store")
@pytest.mark.parametrize(
    "arguments",
    [
        ["kill", "a"],
        ["kill", "--reason", "r"],
        ["kill", "a", "--all", "--reason", "r"],
        ["kill", "--role", "x", "--all", "--reason", "r"],
        ["kill", "--role", " ", "--reason", "r"],
        ["kill", "--all", "--reason", " "],
        ["restore", "a", "--role", "x", "--reason", "r"],
        ["restore", "a", "--reason", "r", "--probation", "soon"],
        ["kill", "a", "--reason", " "],
        ["kill", "", "--reason", "r"],
        ["kill", "x" * 1025, "--reason", "r"],
        ["kill", "\udcff", "--reason", "r"],
        ["restore", "a", "--reason", ""],
        ["grants", "add", "a", "--scope", "s", "--reason", "r"],
        ["grants", "add", "a", "--scope", "s", "--reason", "r", "--for", "1h", "--standing"],
        ["grants", "add", "a", "--scope", "s", "--reason", "r", "--for", "soon"],
        ["grants", "add", "a", "--scope", "", "--reason", "r", "--standing"],
    ],
)
def test_wrong_usage_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run(arguments) == ExitCode.USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("tripswitch: ")
    assert said.err.count("\n") == 1


@pytest.mark.usefixtures("named_store")
def test_trips_lists_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    for agent in ("a", "b"):
        kill(capsys, agent)
    code, listed = call(capsys, "trips")
    assert code == ExitCode.DONE
    assert [trip["agent_id"] for trip in listed] == ["b", "a"]
    assert {
        "ordered_at",
        "contained_at",
        "last_effective_at",
        "silent_at",
        "time_to_silence_s",
    } <= (listed[0].keys())
    assert len(call(capsys, "trips", "--agent", "a")[1]) == 1
    assert len(call(capsys, "trips", "--limit", "1")[1]) == 1


@pytest.mark.usefixtures("named_store")
def test_grants_from_adding_to_revoking(capsys: pytest.CaptureFixture[str]) -> None:
    code, (grant,) = call(
        capsys, "grants", "add", "a", "--scope", "mail.*", "--reason", "r", "--for", "1h"
    )
    assert (code, grant["valid"]) == (ExitCode.DONE, True)
    assert run(["grants", "check", "a", "--scope", "mail.send"]) == ExitCode.DONE
    assert run(["grants", "check", "a", "--scope", "db.drop"]) == ExitCode.FAILED
    code, (revoked,) = call(capsys, "grants", "revoke", grant["grant_id"], "--reason", "done")
    assert (code, revoked["valid"]) == (ExitCode.DONE, False)
    assert run(["grants", "check", "a", "--scope", "mail.send"]) == ExitCode.FAILED
    assert run(["grants", "revoke", "x", "--reason", "r"]) == ExitCode.NOT_FOUND
    assert [g["grant_id"] for g in call(capsys, "grants")[1]] == [grant["grant_id"]]


@pytest.mark.usefixtures("named_store")
def test_nothing_is_granted_to_an_agent_that_is_cut_off(
    capsys: pytest.CaptureFixture[str],
) -> None:
    kill(capsys, "a")
    code, (grant,) = call(
        capsys, "grants", "add", "a", "--scope", "s", "--reason", "r", "--standing"
    )
    assert (code, grant["valid"]) == (ExitCode.FAILED, False)


def test_audit_verify_names_the_first_broken_link(
    capsys: pytest.CaptureFixture[str], named_store: str
) -> None:
    kill(capsys, "a")
    assert call(capsys, "audit", "verify")[0] == ExitCode.DONE
    assert [entry["action"] for entry in call(capsys, "audit")[1]] == [
        "kill ordered",
        "agent contained",
    ]
    store = Store.open(StoreConfig(url=named_store))
    with store.ledger() as ledger:
        drop_triggers(ledger)
        ledger.execute(update(audit).where(audit.c.seq == 1).values(action="forged"))
    store.close()
    code, (answer,) = call(capsys, "audit", "verify")
    assert (code, answer["whole"]) == (ExitCode.FAILED, False)
    assert answer["fault"] == "entry 1 was changed"


@pytest.mark.usefixtures("named_store")
def test_no_terminal_is_harmed(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "e\x1b[2J\u202evil\n\ud7ff"
    run(["grants", "add", evil, "--scope", evil, "--reason", evil, "--standing"])
    run(["kill", evil, "--reason", evil])
    for command in ("trips", "grants", "audit", "restore"):
        run([command, *([evil, "--reason", evil] if command == "restore" else [])])
    said = capsys.readouterr()
    assert "vil" in said.out
    assert not any(hostile in said.out + said.err for hostile in ("\x1b", "\u202e", "vil\n\ud7ff"))


def test_an_unreachable_store_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no directory")
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", f"sqlite:///{tmp_path / 'file' / 'x.db'}")
    assert run(["restore", "a", "--reason", "r"]) == ExitCode.FAILED
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    ["kill", "restore", "holds", "trips", "trips give-up", "grants", "grants add", "grants revoke",
     "grants check", "audit", "audit verify"],
)  # fmt: skip
def test_every_command_shows_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert run([*command.split(), "--help"]) == ExitCode.DONE
    assert f"Example: tripswitch {command}" in capsys.readouterr().out
