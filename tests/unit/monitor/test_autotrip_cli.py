import json
import time
from pathlib import Path
from typing import Any

import pytest

from monitor.cli.app import run
from monitor.config import StoreConfig
from monitor.errors import ExitCode
from monitor.ledger import approvals
from monitor.ledger.approvals import Approval
from monitor.store import Store


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    url = f"sqlite:///{tmp_path / 'named.db'}"
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", url)
    return Store.open(StoreConfig(url=url))


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[Any]]:
    code = run([*arguments, "--json"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def ask(store: Store, subject: str = "payroll-1", now_s: float | None = None) -> Approval:
    with store.ledger() as ledger:
        return approvals.ask(
            ledger, kind="trip", subject=subject, reason="rule ask: it mails\x1b[2J strangers",
            asked_by="rule:ask", now_s=now_s or time.time(), lasts_s=60.0,
        )  # fmt: skip


def test_a_question_is_listed_and_approved(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ask(store)
    code, (listed,) = call(capsys, "approvals")
    assert (code, listed["approval_id"]) == (ExitCode.DONE, asked.approval_id)
    assert run(["approvals"]) == ExitCode.DONE
    said = capsys.readouterr().out
    assert f"tripswitch approve {asked.approval_id}" in said
    assert "\x1b" not in said
    code, (done,) = call(capsys, "approve", asked.approval_id, "--reason", "it does")
    assert code == done["exit_code"] == ExitCode.DONE
    assert (done["state"], done["trip"]["state"]) == ("approved", "contained")
    assert done["trip"]["ordered_by"] == done["decided_by"]
    assert done["trip"]["automatic"] is False
    assert call(capsys, "approvals") == (ExitCode.DONE, [])
    assert run(["approve", asked.approval_id, "--reason", "again"]) == ExitCode.USAGE
    assert "is approved by os:" in capsys.readouterr().err


def test_a_question_is_declined(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ask(store)
    assert run(["decline", asked.approval_id, "--reason", "announced"]) == ExitCode.DONE
    assert "nothing is cut off" in capsys.readouterr().out
    assert call(capsys, "trips") == (ExitCode.DONE, [])
    assert run(["approve", asked.approval_id, "--reason", "after all"]) == ExitCode.USAGE


def test_late_and_unknown_ones_are_refused_in_a_line(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    late = ask(store, now_s=1_700_000_000.0)
    assert run(["approve", late.approval_id, "--reason", "r"]) == ExitCode.USAGE
    assert "ran out" in capsys.readouterr().err
    assert run(["approve", "nonsense", "--reason", "r"]) == ExitCode.NOT_FOUND
    assert run(["decline", late.approval_id, "--reason", " "]) == ExitCode.USAGE
    assert call(capsys, "trips") == (ExitCode.DONE, [])


def test_the_whole_id_of_a_long_agent_is_what_is_cut_off(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = "a" * 1024
    _, (done,) = call(capsys, "approve", ask(store, agent).approval_id, "--reason", "r")
    assert done["trip"]["agent_id"] == agent


@pytest.mark.usefixtures("store")
def test_automatic_trips_are_paused_and_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    _, (before,) = call(capsys, "autotrip", "status")
    assert (before["paused"], before["rules"]) == (False, {"critical": "observe"})
    _, (begun,) = call(capsys, "autotrip", "pause", "--reason", "release", "--for", "2h")
    assert begun["ended_at"] is None
    assert run(["autotrip"]) == ExitCode.DONE
    assert "paused: until" in capsys.readouterr().out
    _, (ended,) = call(capsys, "autotrip", "resume", "--reason", "out")
    assert ended["pause_id"] == begun["pause_id"]
    assert run(["autotrip", "resume", "--reason", "twice"]) == ExitCode.NOT_FOUND
    assert run(["autotrip", "status"]) == ExitCode.DONE
    assert "not paused" in capsys.readouterr().out


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("arguments", [["--for", "never"], ["--for", "0s"], []])
def test_a_pause_has_an_end(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run(["autotrip", "pause", "--reason", "r", *arguments]) == ExitCode.USAGE
    assert capsys.readouterr().err.startswith("tripswitch: ")
