"""Orders by people as scripts see them: about many agents, rehearsed, and who gave them."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import monitor.cli  # noqa: F401 # registers the commands
from monitor.cli import app
from monitor.cli.app import operator, run
from monitor.errors import ExitCode
from monitor.ledger import trips
from monitor.store import Store, schema
from tests.kit.holds import grant, know, put_on, roundup

ALICE, BOB = 54_321, 54_322
"""Users without a name here."""


@pytest.fixture(autouse=True)
def _same_store(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The commands use the same store, at a host that keeps no logins."""
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", store_url)
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.setattr(app, "LOGIN_UID", tmp_path / "none")
    be(monkeypatch, ALICE)


def be(monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    monkeypatch.setattr(os, "getuid", lambda: uid)


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = run([*arguments, "--reason", "INC-42", "--json"])
    (line,) = capsys.readouterr().out.splitlines()
    return code, json.loads(line)


def rows(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    with store.read() as ledger:
        for table in schema.ledger.sorted_tables:
            found[table.name] = [tuple(row) for row in ledger.execute(select(table))]
    with store.read_state() as state:
        for table in schema.state.sorted_tables:
            found[table.name] = [tuple(row) for row in state.execute(select(table))]
    return found


@pytest.mark.parametrize(
    ("which", "named", "others"),
    [(["--role", "payroll"], {"p-1", "p-2"}, {"c-1"}), (["--all"], {"p-1", "p-2", "c-1"}, set())],
)
def test_an_order_about_many_takes_two_persons(
    store: Store,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    which: list[str],
    named: set[str],
    others: set[str],
) -> None:
    know(store, "payroll", "p-1", "p-2")
    know(store, "crawler", "c-1")
    code, asked = call(capsys, "kill", *which)
    assert (code, asked["state"], asked["agents"]) == (ExitCode.PARTLY, "waiting", len(named))
    assert asked["asked_by"] == f"os:{ALICE}"
    with store.read() as ledger:
        assert trips.list_trips(ledger) == []
    assert call(capsys, "kill", *which)[1]["approval_id"] == asked["approval_id"]
    (told,) = rows(store)["outbox"]  # once, and by it the second person finds what to type
    assert f"tripswitch approve {asked['approval_id']} --reason" in str(told)

    assert run(["approve", asked["approval_id"], "--reason", "r"]) == ExitCode.USAGE
    assert "may be the same person" in capsys.readouterr().err
    be(monkeypatch, BOB)
    code, approved = call(capsys, "approve", asked["approval_id"])
    assert (code, approved["hold"]["contained"]) == (ExitCode.DONE, len(named))
    with store.read() as ledger:
        assert {trip.agent_id for trip in trips.list_trips(ledger)} == named
        assert {trip.ordered_by for trip in trips.list_trips(ledger)} == {f"os:{ALICE}"}

    assert run(["kill", *which, "--reason", "again"]) == ExitCode.USAGE
    assert "is on about" in capsys.readouterr().err
    assert run(["holds", "--json"]) == ExitCode.DONE
    listed = json.loads(capsys.readouterr().out)
    assert (listed["confirmed_by"], listed["lifted_at"]) == (f"os:{BOB}", None)

    code, lifted = call(capsys, "restore", *which)
    assert (code, lifted["released"], lifted["lifted_by"]) == (
        ExitCode.DONE, len(named), f"os:{BOB}",
    )  # fmt: skip
    assert run(["restore", *which, "--reason", "again"]) == ExitCode.NOT_FOUND
    assert others.isdisjoint(named)


def test_one_agent_is_taken_out_of_a_hold_and_another_one_stays_when_it_is_lifted(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    know(store, "payroll", "p-1", "p-2")
    roundup(store).begin(put_on(store, None))
    code, restored = call(capsys, "restore", "never-seen")
    assert (code, restored["state"], restored["new"]) == (ExitCode.DONE, "probation", True)
    assert call(capsys, "restore", "never-seen")[1]["notes"] == [
        "its restore was ordered before; no new order"
    ]
    code, killed = call(capsys, "kill", "p-1")
    assert (code, killed["state"], killed["hold_id"]) == (ExitCode.DONE, "contained", None)
    call(capsys, "restore", "--all")
    with store.read() as ledger:
        states = {trip.agent_id: trip.state for trip in trips.list_trips(ledger)}
    assert states == {"never-seen": "probation", "p-1": "contained", "p-2": "probation"}


def test_an_approval_says_in_words_what_the_second_person_types(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    know(store, "pay\x1b[2Jroll", "p-1")
    assert run(["kill", "--role", "pay\x1b[2Jroll", "--reason", "r"]) == ExitCode.PARTLY
    said = capsys.readouterr().out
    assert "nothing is cut off yet" in said
    assert "tripswitch approve " in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    "order",
    [
        ["kill", "p-1"],
        ["kill", "unseen"],
        ["kill", "p-2"],
        ["kill", "--role", "payroll"],
        ["kill", "--all"],
        ["restore", "p-2"],
        ["restore", "p-2", "--probation", "2h"],
        ["restore", "--role", "payroll"],
    ],
)
def test_a_dry_run_says_what_would_be_done_and_changes_nothing(
    store: Store, capsys: pytest.CaptureFixture[str], order: list[str]
) -> None:
    know(store, "payroll", "p-1", "p-2")
    for agent_id in ("p-1", "p-2"):
        grant(store, agent_id)
    one = put_on(store, "payroll")
    roundup(store).begin(one)
    before = rows(store)
    code, said = call(capsys, *order, "--dry-run")
    assert run([*order, "--reason", "r", "--dry-run"]) == ExitCode.DONE
    assert (code, said["dry_run"], said["action"]) == (ExitCode.DONE, True, order[0])
    assert rows(store) == before


def test_a_dry_run_tells_state_grants_and_what_each_point_would_hear(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    grant(store, "a")
    said = call(capsys, "kill", "a", "--dry-run")[1]
    assert (said["state"], said["new"], said["receivers"]) == ("active", True, ["terminal"])
    assert [one["scope"] for one in said["grants"]] == ["s"]
    (point,) = said["points"]
    assert (point["point"], point["order"]["state"]) == ("registry", "revoked")
    first = point["order"]["order_seq"]
    assert first > time.time() * 1000 - 60_000
    call(capsys, "kill", "a")
    said = call(capsys, "kill", "a", "--dry-run")[1]
    assert (said["state"], said["new"], said["points"]) == ("contained", False, [])
    said = call(capsys, "restore", "a", "--dry-run", "--probation", "2h")[1]
    assert (said["probation_s"], len(said["grants"])) == (7200.0, 1)
    assert said["points"][0]["order"]["order_seq"] > first
    assert run(["restore", "b", "--reason", "r", "--dry-run"]) == ExitCode.NOT_FOUND
    put_on(store, None)
    said = call(capsys, "restore", "b", "--dry-run")[1]
    assert (said["new"], said["trip_id"], said["points"]) == (True, "(new)", [])


def test_a_kill_says_that_it_outlasts_the_hold(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    know(store, None, "a")
    roundup(store).begin(put_on(store, None))
    assert run(["kill", "a", "--reason", "its own"]) == ExitCode.DONE
    assert "stays cut off when the hold that it is under is lifted" in capsys.readouterr().out


def test_probation_lasts_as_long_as_was_said(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    trip_id = call(capsys, "kill", "a")[1]["trip_id"]
    assert call(capsys, "restore", "a", "--probation", "2h")[0] == ExitCode.DONE
    with store.read() as ledger:
        assert trips.get(ledger, trip_id).probation_s == 7200.0


def test_no_variable_says_who_gives_an_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("USER", "LOGNAME", "USERNAME", "LNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "mallory")
    assert operator() == f"os:{ALICE}"
    monkeypatch.setenv("SUDO_UID", str(BOB))
    assert operator() == f"os:{ALICE} via os:{BOB}"
    monkeypatch.setenv("SUDO_UID", "99999999999999999999")
    assert operator() == f"os:{ALICE} via os:99999999999999999999"
    # What the kernel keeps counts more than what a variable says.
    monkeypatch.setattr(app, "LOGIN_UID", tmp_path / "loginuid")
    (tmp_path / "loginuid").write_text(str(ALICE))
    assert operator() == f"os:{ALICE}"
    (tmp_path / "loginuid").write_text(str(2**32 - 1))
    monkeypatch.setenv("SUDO_UID", "no number")
    assert operator() == f"os:{ALICE}"
    be(monkeypatch, 0)
    assert operator() == "os:root"
