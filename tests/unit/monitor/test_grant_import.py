"""Grants carried from store to store: whole or not at all, and nothing revoked comes back."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from monitor import grant_file
from monitor.cli.app import run
from monitor.config import StoreConfig
from monitor.errors import ExitCode, UsageError
from monitor.ledger import audit, grant_import, grants, trips
from monitor.store import Store

NOW = time.time()


def line(grant_id: str = "g1", **changes: Any) -> dict[str, Any]:
    return {
        "grant_id": grant_id, "agent_id": "a", "scope": "mail.send", "reason": "month end",
        "expires_at": None, **changes,
    }  # fmt: skip


def take_in(store: Store, *lines: dict[str, Any]) -> grant_import.Imported:
    text = "\n".join(map(json.dumps, lines))
    found = grant_file.parse(text, by="os:carol", now_s=NOW)
    with store.ledger() as ledger:
        return grant_import.take_in(ledger, found, by="os:carol", now_s=NOW)


def allows(store: Store, agent: str = "a", scope: str = "mail.send") -> bool:
    with store.read() as ledger:
        return grants.allows(ledger, agent, scope, NOW)


def kill(store: Store, agent: str) -> str:
    with store.ledger() as ledger:
        return trips.order_kill(
            ledger, agent_id=agent, reason="r", ordered_by="os:alice", automatic=False, now_s=NOW,
            points=(), receivers=(),
        ).trip_id  # fmt: skip


def restore(store: Store, agent: str) -> None:
    with store.ledger() as ledger:
        trips.order_restore(
            ledger, agent_id=agent, reason="r", ordered_by="os:alice", now_s=NOW, probation_s=1.0,
            receivers=(),
        )  # fmt: skip


def test_it_is_done_once(store: Store) -> None:
    assert take_in(store, line(), line("g2", agent_id="b")) == grant_import.Imported(2, 0, 0, 0)
    assert allows(store)
    assert allows(store, "b")
    assert take_in(store, line(), line("g3")) == grant_import.Imported(1, 1, 0, 0)
    with store.read() as ledger:
        assert len(grants.list_grants(ledger)) == 3
        (first, *_) = [e for e in audit.entries(ledger, 9) if e["action"] == "grants imported"]
        assert audit.verify(ledger) is None
    assert (first["actor"], first["subject"]) == ("os:carol", "a")
    assert first["doc"] == {"grant_ids": ["g1"], "scopes": ["mail.send"]}


def test_it_never_revives_what_was_revoked(store: Store) -> None:
    take_in(store, line())
    with store.ledger() as ledger:
        grants.revoke(ledger, "g1", "os:bob", NOW)
    take_in(store, line())
    assert not allows(store)
    trip_id = kill(store, "b")
    ended = line(
        "g2", agent_id="b", revoked_at="2026-01-01T00:00:00Z", revoked_by=f"trip:{trip_id}"
    )
    late = line("g3", agent_id="b", expires_at="2020-01-01T00:00:00Z")
    assert take_in(store, ended, late) == grant_import.Imported(0, 0, 2, 0)
    restore(store, "b")  # of that very trip
    assert not allows(store, "b")


def test_an_agent_that_is_cut_off_is_granted_nothing(store: Store) -> None:
    trip_id = kill(store, "a")
    assert take_in(store, line(), line("g2", agent_id="b")) == grant_import.Imported(1, 0, 0, 1)
    assert not allows(store)
    restore(store, "a")
    assert not allows(store)
    with store.read() as ledger:
        assert grants.get(ledger, "g1").revoked_by == f"blocked:{trip_id}"


def test_an_id_that_means_something_else_stops_it_all(store: Store) -> None:
    take_in(store, line())
    for other in (line(agent_id="b"), line(scope="*")):
        with pytest.raises(
            UsageError, match="nothing was imported: grant g1 is here for agent 'a'"
        ):
            take_in(store, line("g9"), other)
    with store.read() as ledger:
        assert [grant.grant_id for grant in grants.list_grants(ledger)] == ["g1"]


@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        ("{", "line 2: is no JSON object"),
        ("[" * 100_000, "line 2: is no JSON object"),
        ('"x"', "line 2: is no JSON object"),
        (json.dumps(line("g1")), "line 2: grant_id g1 is in line 1, too"),
        (json.dumps({"grant_id": "g2"}), "line 2: agent_id: Field required"),
        (
            json.dumps({k: v for k, v in line("g2").items() if k != "expires_at"}),
            "expires_at: Field",
        ),
        (json.dumps(line("g2", expires_at="2026-01-01T00:00:00")), "line 2: expires_at"),
        (json.dumps(line("g 2")), "line 2: grant_id"),
        (json.dumps(line("g2", agent_id="")), "line 2: agent_id"),
        (json.dumps(line("g2", agent_id="a\x00")), "line 2: an agent's id holds no NUL"),
        (json.dumps(line("g2", agent_id="\ud800")), "line 2"),
        (json.dumps(line("g2", scop="x")), "line 2: scop"),
        (json.dumps(line("g2", scope="x" * 1025)), "line 2: scope"),
    ],
)
def test_every_fault_is_told_with_its_line(faulty: str, said: str) -> None:
    text = "\n".join([json.dumps(line()), faulty, "", '{"grant_id": 3}'])
    with pytest.raises(UsageError, match="nothing was imported") as error:
        grant_file.parse(text, by="os:carol", now_s=NOW)
    assert said in str(error.value)
    assert "line 4: " in str(error.value)
    assert len(str(error.value)) < 5000


def test_an_array_will_do_and_a_broken_one_is_said() -> None:
    (grant,) = grant_file.parse(json.dumps([line()], indent=2), by="os:carol", now_s=NOW)
    assert (grant.granted_by, grant.granted_at, grant.expires_at) == ("os:carol", NOW, None)
    with pytest.raises(UsageError, match="item 2: is no JSON object"):
        grant_file.parse(json.dumps([line(), 3]), by="os:carol", now_s=NOW)
    with pytest.raises(UsageError, match="no JSON array"):
        grant_file.parse("[1,", by="os:carol", now_s=NOW)
    assert grant_file.parse("\n \n", by="os:carol", now_s=NOW) == []


def test_times_that_no_calendar_tells_are_bounded(store: Store) -> None:
    edge = line(granted_at="0001-01-01T00:00:00+14:00", expires_at="9999-12-31T23:59:59-14:00")
    assert take_in(store, edge).added == 1
    assert allows(store)


def test_from_one_store_to_another_by_the_commands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def call(store: str, *arguments: str) -> str:
        monkeypatch.setenv("TRIPSWITCH_STORE__URL", f"sqlite:///{tmp_path / store}")
        capsys.readouterr()
        assert run(list(arguments)) == ExitCode.DONE
        return capsys.readouterr().out

    hostile = "ünï\u202e\x1b[2J/.."
    call("one", "grants", "add", hostile, "--scope", "mail.*", "--reason", "r", "--for", "1h")
    call("one", "grants", "add", "b", "--scope", "*", "--reason", "r", "--standing")
    exported = call("one", "grants", "export")
    assert len(call("one", "grants", "export", "--agent", "b").splitlines()) == 1
    file = tmp_path / "grants.jsonl"
    file.write_text(exported)
    dry = json.loads(call("two", "grants", "import", str(file), "--dry-run", "--json"))
    assert dry == {"added": 2, "known": 0, "ended": 0, "refused": 0, "dry_run": True}
    assert call("two", "grants", "export") == ""
    assert "2 added" in call("two", "grants", "import", str(file))
    assert "2 known already" in call("two", "grants", "import", str(file))
    assert sorted(call("two", "grants", "export").splitlines()) == sorted(exported.splitlines())
    call("two", "grants", "check", hostile, "--scope", "mail.send")
    opened = Store.open(StoreConfig(url=f"sqlite:///{tmp_path / 'two'}"))
    with opened.read() as ledger:
        assert audit.verify(ledger) is None
    opened.close()


def test_a_file_that_cannot_be_read_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    for file in (binary, tmp_path / "missing"):
        assert run(["grants", "import", str(file)]) == ExitCode.USAGE
        assert str(file) in capsys.readouterr().err
