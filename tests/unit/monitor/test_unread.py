"""Where nobody reads what a command prints, its exit code still says what was done."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.config import StoreConfig
from monitor.errors import ExitCode
from monitor.ledger import approvals
from monitor.store import Store


@pytest.fixture
def nobody() -> Iterator[int]:
    """A pipe whose reader has left."""
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


def unread(nobody: int, *arguments: str, err_too: bool = False) -> tuple[int, bytes]:
    """The exit code, and what was said on stderr."""
    ended = subprocess.run(
        [sys.executable, "-m", "monitor", *arguments],
        stdout=nobody, stderr=nobody if err_too else subprocess.PIPE, check=False, timeout=120,
    )  # fmt: skip
    return ended.returncode, ended.stderr or b""


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_orders_have_the_exit_code_of_what_was_done(nobody: int, as_json: list[str]) -> None:
    """On a default store that no daemon has used a kill is partly done."""
    why = ["--reason", "INC-42", *as_json]
    assert unread(nobody, "kill", "a", *why) == (ExitCode.PARTLY, b"")
    assert unread(nobody, "kill", "--all", *why) == (ExitCode.PARTLY, b"")
    assert unread(nobody, "kill", "b", *why, "--dry-run") == (ExitCode.DONE, b"")
    assert unread(nobody, "restore", "a", *why) == (ExitCode.DONE, b"")
    store = Store.open(StoreConfig())
    with store.ledger() as ledger:
        asked = approvals.ask(
            ledger, kind="trip", subject="b", reason="odd", asked_by="rule:r",
            now_s=time.time(), lasts_s=900.0,
        )  # fmt: skip
    store.close()
    assert unread(nobody, "approve", asked.approval_id, *why) == (ExitCode.PARTLY, b"")


def test_so_has_a_kill_without_the_store(nobody: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", "sqlite:////proc/nowhere/ledger.db")
    assert unread(nobody, "kill", "a", "--reason", "r") == (ExitCode.FAILED, b"")


def test_what_only_tells_has_failed_and_an_error_its_own_code(nobody: int) -> None:
    assert unread(nobody, "trips") == (ExitCode.FAILED, b"")
    assert unread(nobody, "restore", "a", "--reason", "r", err_too=True)[0] == ExitCode.NOT_FOUND
    assert unread(nobody, "kill", "a", err_too=True)[0] == ExitCode.USAGE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_full_disk_is_no_other_matter() -> None:
    with Path("/dev/full").open("wb") as full:
        said = unread(full.fileno(), "kill", "a", "--reason", "r")
        code, why = unread(full.fileno(), "trips", "--json")
    assert said == (ExitCode.PARTLY, b"")
    assert (code, why) == (ExitCode.FAILED, b"tripswitch: [Errno 28] No space left on device\n")
