import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from monitor.cli.app import run
from monitor.config import StoreConfig
from monitor.errors import ExitCode
from monitor.jobs import forget
from monitor.ledger import audit
from monitor.store import Store
from tests.unit.monitor.test_audit_journal import journal, write


@pytest.fixture(autouse=True)
def named(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", store_url)
    with closing(Store.open(StoreConfig(url=store_url))) as store, store.ledger() as ledger:
        for number in range(3):
            audit.append(
                ledger, at_s=1.8e9 + number, actor="os:alice", action="did", subject=f"a-{number}",
                doc={}, text={"reason": "x\x1b[2J"},
            )  # fmt: skip


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    capsys.readouterr()
    code = run(["audit", *arguments, "--json"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_an_export_goes_to_a_file_or_on(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "export.jsonl"
    since = ("--since", "2027-01-15T08:00:01")
    code, (said,) = call(capsys, "export", *since, "--out", str(file))
    assert (code, said["entries"]) == (ExitCode.DONE, 2)
    assert call(capsys, "export", *since)[1] == [
        json.loads(x) for x in file.read_text().splitlines()
    ]
    code, (said,) = call(capsys, "verify", "--file", str(file))
    assert (code, said["whole"], said["first_seq"], said["last_seq"]) == (0, True, 2, 3)
    file.write_text(file.read_text().replace("os:alice", "os:mallory"))
    code, (said,) = call(capsys, "verify", "--file", str(file))
    assert (code, said["fault"]) == (ExitCode.FAILED, "entry 2: its actor was changed")
    assert run(["audit", "export", "--out", str(file)]) == ExitCode.USAGE  # it is there already
    assert "os:mallory" in file.read_text()


def test_an_erasure_can_be_tried_first(capsys: pytest.CaptureFixture[str], store_url: str) -> None:
    asked = ("erase", "--person", "os:alice", "--reason", "asked on paper")
    code, (said,) = call(capsys, *asked, "--dry-run")
    assert (code, said["entries"], said["details"], said["dry_run"]) == (0, 3, 6, True)
    assert len(call(capsys)[1]) == 3
    code, (said,) = call(capsys, *asked)
    assert (code, said["entries"], said["details"], said["dry_run"]) == (0, 3, 6, False)
    entries = call(capsys)[1]
    assert [entry["actor"] for entry in entries[:3]] == ["(erased)"] * 3
    assert [entry["subject"] for entry in entries[:3]] == ["a-0", "a-1", "a-2"]
    assert entries[3]["action"] == "details erased"
    assert call(capsys, "verify")[0] == ExitCode.DONE


@pytest.mark.parametrize(
    "arguments",
    [
        ["erase", "--reason", "r"],
        ["erase", "--reason", "r", "--person", "os:a", "--agent", "a"],
        ["erase", "--reason", "r", "--person", "alice"],
        ["erase", "--reason", " ", "--agent", "a"],
        ["erase", "--agent", "a"],
        ["export", "--since", "yesterday"],
        ["verify", "--file", "/does/not/exist"],
        ["verify", "--file", "x", "--published"],
        ["import", "/does/not/exist"],
    ],
)
def test_wrong_usage_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run(["audit", *arguments]) == ExitCode.USAGE
    assert capsys.readouterr().err.count("\n") == 1


def test_a_journal_is_taken_in(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = write(tmp_path / "journal.jsonl", journal("a", "b"))
    code, said = call(capsys, "import", str(file))
    assert (code, [each["outcome"] for each in said]) == (0, ["ordered", "ordered"])
    code, said = call(capsys, "import", str(file))
    assert (code, [each["outcome"] for each in said]) == (0, ["had", "had"])
    file.write_text(file.read_text().replace("sends", "sent"))
    assert run(["audit", "import", str(file)]) == ExitCode.FAILED
    assert "line 1: was changed" in capsys.readouterr().err


def test_what_outlives_its_retention_is_erased_in_as_many_steps_as_it_takes(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.ledger.audit_erase.BATCH", 4)
    with closing(Store.open(StoreConfig(url=store_url))) as store:
        forget(store, 1.8e9 + 10, 1.8e9 + 20)
        with store.snapshot() as ledger:
            assert audit.verify(ledger) is None
            said = audit.entries(ledger, 50)
    assert [entry["actor"] for entry in said] == ["(erased)"] * 3 + ["tripswitch"] * 3
