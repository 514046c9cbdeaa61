"""A kill without the store: each point is told, whatever else is wrong, and all of it reported."""

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

import monitor.cli  # noqa: F401 # registers the commands
from monitor import audit_journal, journal
from monitor.cli.app import run
from monitor.errors import ExitCode

POINT = """
[[points]]
kind = "plugin"
name = "vault"
plugin = "in-memory"
settings = { url = "https://vault.example" }
"""


@pytest.fixture
def config(tmp_path: Path, plugin_package: dict[str, str]) -> str:
    """Settings with one point, a plugin."""
    path = tmp_path / "tripswitch.toml"
    path.write_text(POINT)
    return str(path)


@pytest.fixture
def no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", "sqlite:////proc/nowhere/ledger.db")


def kill(capsys: pytest.CaptureFixture[str], config: str) -> tuple[int, dict[str, Any]]:
    code = run(["kill", "a", "--reason", "INC-42", "--config", config, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("no_store")
@pytest.mark.parametrize("last", ["[]", "1", "null", "{}", "no JSON", "[" * 100_000, "\udcff"])
def test_a_journal_that_is_none_keeps_no_point_from_being_told(
    capsys: pytest.CaptureFixture[str], config: str, plugin_package: dict[str, str], last: str
) -> None:
    path = journal.default_path()
    path.parent.mkdir(parents=True)
    path.write_text(f"{last}\n", errors="surrogateescape")
    code, answer = kill(capsys, config)
    assert (code, plugin_package) == (ExitCode.PARTLY, {"a": "revoked"})
    assert "its last line is no line of a journal" in answer["journal_error"]
    assert path.read_text(errors="surrogateescape") == f"{last}\n"


class CloseError(Exception):
    """Its text is not told: it may hold a secret."""


@pytest.fixture(params=[CloseError("token=s3cret"), SystemExit(1)], ids=repr)
def _closing_fails(
    request: pytest.FixtureRequest, plugin_package: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def close(_point: object) -> NoReturn:
        raise request.param

    monkeypatch.setattr(sys.modules["tripswitch_in_memory"].Point, "close", close)


@pytest.mark.usefixtures("no_store", "_closing_fails")
def test_a_point_that_cannot_be_closed_is_told_of_without_the_store(
    capsys: pytest.CaptureFixture[str], config: str
) -> None:
    code, answer = kill(capsys, config)
    assert code == ExitCode.PARTLY
    assert {"point": "vault", "state": "confirmed", "error": None} in answer["points"]
    intent, outcome = audit_journal.read(Path(answer["journal"]))
    assert (intent.action, outcome.action) == ("kill ordered", "kill outcome")


@pytest.mark.usefixtures("_closing_fails")
def test_a_point_that_cannot_be_closed_is_told_of_with_the_store(
    capsys: pytest.CaptureFixture[str], config: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", f"sqlite:///{tmp_path / 'l.db'}")
    code, answer = kill(capsys, config)
    assert (code, answer["state"]) == (ExitCode.DONE, "contained")
    assert {point["point"]: point["state"] for point in answer["points"]} == {
        "registry": "confirmed", "vault": "confirmed",
    }  # fmt: skip
