"""`--server`: orders through a `tripswitch serve`, by a person with a token and no store."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import monitor.cli  # noqa: F401 # registers the commands
from monitor.cli.app import run
from monitor.cli.remote import told_by
from monitor.client import ServerError
from monitor.errors import ExitCode
from tests.kit.api import process
from tests.kit.daemon import tripswitch
from tests.kit.gateway_server import Answer, GatewayServer, gateway_server


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = run([*arguments, "--json"])
    (line,) = capsys.readouterr().out.splitlines()
    return code, json.loads(line)


def test_orders_through_a_server(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = {"TRIPSWITCH_STORE__URL": f"sqlite:///{tmp_path / 'served.db'}"}
    with process(tmp_path, settings) as url:
        code, (made,), error = tripswitch(
            settings, "token", "add", "alice", "--role", "operator", "--json"
        )
        assert code == ExitCode.DONE, error
        (tmp_path / "token").write_text(made["secret"])
        via = ["--server", url, "--token-file", str(tmp_path / "token")]
        order = ["a", "--reason", "INC-42", *via]

        assert call(capsys, "kill", *order, "--dry-run")[1]["new"] is True
        assert run(["trips", *via]) == ExitCode.DONE
        assert "no trips" in capsys.readouterr().out
        code, killed = call(capsys, "kill", *order)
        assert (code, killed["state"], killed["ordered_by"]) == (
            ExitCode.DONE, "contained", "token:alice",
        )  # fmt: skip
        code, listed = call(capsys, "trips", *via)
        assert (code, listed["trip_id"]) == (ExitCode.DONE, killed["trip_id"])
        assert run(["restore", *order, "--probation", "2h"]) == ExitCode.DONE
        said = capsys.readouterr().out
        assert "a: probation" in said
        assert url in said
        _by_two(capsys, settings, via)
        monkeypatch.setenv("TRIPSWITCH_TOKEN", "wrong")
        assert run(["kill", "a", "--reason", "r", "--server", url]) == ExitCode.FAILED
    assert not (tmp_path / "state" / "tripswitch").exists(), "this host has no store"


def _by_two(capsys: pytest.CaptureFixture[str], settings: dict[str, str], via: list[str]) -> None:
    """An order about all agents: alice asks, bob approves, alice lifts it."""
    every = ["--all", "--reason", "INC-43", *via]
    assert run(["kill", *every, "--dry-run"]) == ExitCode.DONE
    code, asked = call(capsys, "kill", *every)
    assert (code, asked["asked_by"]) == (ExitCode.PARTLY, "token:alice")
    assert run(["kill", *every]) == ExitCode.PARTLY  # asked once
    said = capsys.readouterr().out
    assert f"tripswitch approve {asked['approval_id']} --reason" in said
    yes = ["approve", asked["approval_id"], "--reason", "seen it, too"]
    assert run([*yes, *via]) == ExitCode.USAGE
    assert run(["approvals", *via]) == ExitCode.DONE
    assert "cut off all agents" in capsys.readouterr().out
    _, (made,), _ = tripswitch(settings, "token", "add", "bob", "--role", "operator", "--json")
    file = Path(via[-1]).with_name("token-of-bob")
    file.write_text(made["secret"])
    assert run([*yes, *via[:-1], str(file)]) == ExitCode.DONE
    assert "approved: cut off all agents" in capsys.readouterr().out
    code, held = call(capsys, "holds", *via)
    assert (code, held["confirmed_by"]) == (ExitCode.DONE, "token:bob")
    assert run(["kill", "--role", "r", "--reason", "a drill", *via]) == ExitCode.PARTLY
    _, waits = call(capsys, "approvals", *via)
    assert run(["decline", waits["approval_id"], "--reason", "no", *via]) == ExitCode.DONE
    assert run(["restore", *every]) == ExitCode.DONE
    assert "lifted by token:alice: INC-43" in capsys.readouterr().out


def test_a_server_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["kill", "a", "--reason", "r", "--server", "http://127.0.0.1:1"]) != ExitCode.DONE
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_a_server_that_tells_of_things_in_another_form_is_named() -> None:
    told: dict[str, object] = {}
    with (
        pytest.raises(ServerError, match="http://one: tells of actions in another form"),
        told_by("http://one", "actions"),
    ):
        told["actions"]
    with pytest.raises(KeyError), told_by(None, "actions"):
        told["actions"]  # a fault of our own is told as what it is


@pytest.fixture
def server() -> Iterator[GatewayServer]:
    """It answers whatever it is told to."""
    with gateway_server() as opened:
        yield opened


def told(server: GatewayServer, document: object) -> None:
    server.script.append(Answer(200, json.dumps(document).encode()))


EVIL = "e\x1b[2J\u202evil\nx"
ONE = {
    "dry_run": True, "action": EVIL, "agent_id": EVIL, "state": EVIL, "new": True,
    "grants": [{"scope": EVIL}],
    "points": [{"point": EVIL, "order": {"state": EVIL, "order_seq": EVIL}}],
    "receivers": [EVIL],
}  # fmt: skip
MANY = {
    "dry_run": True, "action": EVIL, "role": EVIL, "receivers": [EVIL],
    "members": [{"agent_id": EVIL, "state": EVIL, "grants": EVIL, "points": [EVIL]}],
}  # fmt: skip
DRY_RUNS = [
    ("kill a", ONE), ("restore a", {**ONE, "new": False}), ("kill --all", MANY),
    ("restore --role r", {**MANY, "role": None}),
]  # fmt: skip


@pytest.mark.parametrize(("order", "document"), DRY_RUNS)
def test_no_server_harms_a_terminal(
    capsys: pytest.CaptureFixture[str], server: GatewayServer, order: str, document: dict[str, Any]
) -> None:
    told(server, document)
    via = ["--reason", "r", "--dry-run", "--server", server.url]
    assert run([*order.split(), *via]) == ExitCode.DONE
    said = capsys.readouterr().out
    assert "evil" in said.replace("\\x1b[2J\\u202e", "")
    assert not any(hostile in said for hostile in ("\x1b", "\u202e", "vil\nx"))


@pytest.mark.parametrize(
    ("order", "document"),
    [(order, {k: v for k, v in document.items() if k != gone})
     for order, document in DRY_RUNS for gone in ("action", "grants", "receivers", "role")
     if gone in document and not (gone == "grants" and not document["new"])]
    + [("kill a", {**ONE, "points": [1]}), ("kill a", {**ONE, "grants": {}, "points": 1}),
       ("kill --all", {**MANY, "members": ["a"]}), ("kill --all", {**MANY, "members": 1})],
)  # fmt: skip
def test_what_a_server_tells_in_another_form_is_one_line(
    capsys: pytest.CaptureFixture[str], server: GatewayServer, order: str, document: dict[str, Any]
) -> None:
    told(server, document)
    via = ["--reason", "r", "--dry-run", "--server", server.url]
    assert run([*order.split(), *via]) == ExitCode.FAILED
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "tells of an order in another form" in said.err


@pytest.mark.parametrize(
    ("command", "document", "of_what"),
    [
        ("holds", {}, "holds"),
        ("approvals", {}, "approvals"),
        ("trips", {"trips": [1]}, "trips"),
        ("approve x --reason r", {"notes": None}, "a decision"),
        ("kill a --reason r", {"points": [1]}, "an order"),
    ],
)
def test_so_is_any_other_answer(
    capsys: pytest.CaptureFixture[str],
    server: GatewayServer,
    command: str,
    document: dict[str, Any],
    of_what: str,
) -> None:
    told(server, document)
    assert run([*command.split(), "--server", server.url]) == ExitCode.FAILED
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert f"tells of {of_what} in another form" in said.err
