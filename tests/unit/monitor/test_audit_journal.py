import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from alerting.killswitch import AgentState
from monitor.audit_journal import (
    Importer,
    JournalError,
    Taken,
    hash_of,
    read,
    take_in,
)
from monitor.errors import UsageError
from monitor.journal import Journal
from monitor.ledger import agents, audit, grants, trips
from monitor.store import Store
from tests.kit.holds import know, lift, put_on, roundup

AT_S = 1_800_000_000.0
NOW_S = AT_S + 600
BOB = Importer("os:bob", points=("kafka",), receivers=("slack",))


def line(prev_hash: str, agent: str, **changes: Any) -> dict[str, Any]:
    document = {
        "journal_id": str(uuid.uuid4()),
        "at": AT_S,
        "actor": "os:alice",
        "action": "kill ordered",
        "agent_id": agent,
        "reason": f"{agent} sends data out",
        "points": [
            {"point": "kafka", "state": "confirmed", "error": None},
            {"point": "gateway", "state": "failed", "error": "HTTP 503 from gw-1"},
        ],
        "prev_hash": prev_hash,
        **changes,
    }
    return {**document, "hash": hash_of(document)}


def journal(*names: str, **changes: Any) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for agent in names:
        lines.append(line(lines[-1]["hash"] if lines else "0" * 64, agent, **changes))
    return lines


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return path


def take(store: Store, path: Path, now_s: float = NOW_S) -> list[Taken]:
    orders = read(path)
    with store.ledger() as ledger:
        return take_in(ledger, orders, BOB, now_s)


def state(store: Store, agent: str) -> AgentState:
    with store.read() as ledger:
        return agents.state_of(ledger, agent)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def test_orders_are_written_down_and_carried_out_once(store: Store, path: Path) -> None:
    with store.ledger() as ledger:
        grants.add(
            ledger, agent_id="a", scope="mail.*", reason="r", granted_by="os:bob", now_s=AT_S
        )
    lines = journal("a", "b\u202e😀")
    write(path, lines)
    assert [taken.outcome for taken in take(store, path)] == ["ordered", "ordered"]
    assert state(store, "a") is state(store, "b\u202e😀") is AgentState.TRIPPING
    with store.snapshot() as ledger:
        assert not grants.allows(ledger, "a", "mail.send", NOW_S)
        (trip,) = trips.list_trips(ledger, "a")
        assert (trip.ordered_by, trip.reason) == ("os:alice", "a sends data out")
        assert {point.point for point in trip.points} == {"registry", "kafka"}
        said = [e for e in audit.entries(ledger, 50) if e["action"] == "order from the journal"]
        assert audit.verify(ledger) is None
    assert (said[0]["actor"], said[0]["subject"]) == ("os:alice", "a")
    assert said[0]["doc"] == {
        "journal_id": lines[0]["journal_id"],
        "ordered_at": AT_S,
        "order": "kill ordered",
        "order_seq": 0,
        "points": {"kafka": "confirmed", "gateway": "failed"},
        "reason": "a sends data out",
        "imported_by": "os:bob",
        "error of gateway": "HTTP 503 from gw-1",
    }
    before = len(audit_of(store))
    write(path, [*lines, line(lines[-1]["hash"], "c")])  # the journal went on
    assert [taken.outcome for taken in take(store, path)] == ["had", "had", "ordered"]
    assert len(audit_of(store)) > before
    assert [taken.outcome for taken in take(store, path)] == ["had"] * 3


def audit_of(store: Store) -> list[dict[str, Any]]:
    with store.read() as ledger:
        return audit.entries(ledger, 1000)


def test_an_agent_that_was_restored_since_is_left_alone(store: Store, path: Path) -> None:
    with store.ledger() as ledger:
        trips.order_kill(
            ledger, agent_id="a", reason="r", ordered_by="os:bob", automatic=False,
            now_s=AT_S + 1, points=(), receivers=(),
        )  # fmt: skip
        trips.order_restore(
            ledger, agent_id="a", reason="r", ordered_by="os:bob", now_s=AT_S + 2,
            probation_s=1.0, receivers=(),
        )  # fmt: skip
        standing = trips.order_kill(
            ledger, agent_id="b", reason="r", ordered_by="os:bob", automatic=False,
            now_s=AT_S + 1, points=(), receivers=(),
        )  # fmt: skip
    write(path, journal("a", "b"))
    restored, blocked = take(store, path)
    assert restored.outcome == "restored since"
    assert state(store, "a") is AgentState.PROBATION
    assert (blocked.outcome, blocked.trip_id) == ("cut off already", standing.trip_id)


def test_an_agent_that_a_hold_has_cut_off_meanwhile_stays_so_when_it_is_lifted(
    store: Store, path: Path
) -> None:
    know(store, None, "a", "b")
    roundup(store).begin(put_on(store, None, NOW_S))
    (taken,) = take(store, write(path, journal("a")))
    assert taken.outcome == "cut off already"
    roundup(store).carry_out(lift(store, None))
    assert state(store, "a") is AgentState.CONTAINED
    assert state(store, "b") is AgentState.PROBATION


def test_a_last_order_that_lacks_only_the_end_of_its_line_counts(store: Store, path: Path) -> None:
    write(path, journal("a", "b")).write_bytes(path.read_bytes().rstrip(b"\n"))
    assert [taken.outcome for taken in take(store, path)] == ["ordered", "ordered"]


def test_later_orders_are_numbered_above_those_of_the_journal(store: Store, tmp_path: Path) -> None:
    kept = Journal(tmp_path / "written.jsonl")
    order = kept.append(actor="os:alice", action="kill ordered", agent_id="a", reason="\udcff")
    answers = [{"point": "kafka", "state": "confirmed", "error": None}]
    kept.append(
        actor="os:alice", action="kill outcome", agent_id="a", reason="r", points=answers,
        order_seq=order["order_seq"],
    )  # fmt: skip
    assert [taken.outcome for taken in take(store, kept.path)] == ["ordered", "written down"]
    with store.read() as ledger:
        (trip,) = trips.list_trips(ledger, "a")
    assert trip.order_seq > order["order_seq"]
    assert {point.order_seq for point in trip.points} == {trip.order_seq}


def test_another_order_is_written_down_alone(store: Store, path: Path) -> None:
    write(path, journal("a", action="restore ordered"))
    assert [taken.outcome for taken in take(store, path)] == ["written down"]
    assert state(store, "a") is AgentState.ACTIVE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reason": "another"}, "line 2: was changed"),
        ({"extra": 1}, "line 2: was changed"),
        ({"prev_hash": "0" * 64}, "line 2: does not follow the line before"),
        ({"at": "now"}, "line 2: at: "),
        ({"order_seq": 10**30}, "line 2: order_seq: "),
        ({"agent_id": ""}, "line 2: agent_id: "),
        ({"points": [{"point": "kafka", "state": "maybe"}]}, "line 2: points.0.state: "),
    ],
)
def test_a_changed_line_is_named_and_nothing_is_taken_in(
    store: Store, path: Path, change: dict[str, Any], said: str
) -> None:
    lines = journal("a", "b", "c")
    lines[1] |= change
    write(path, lines)
    with pytest.raises(JournalError, match=said):
        take(store, path)
    assert audit_of(store) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"actor": "rule:x"}, "was ordered by nobody who is a person"),
        ({"agent_id": "a\x00"}, "an agent's id holds no NUL"),
        ({"agent_id": "\ud800"}, "agent_id: "),
    ],
)
def test_a_line_that_no_command_writes_is_refused(
    path: Path, changes: dict[str, Any], said: str
) -> None:
    write(path, journal("a", **changes))
    with pytest.raises(JournalError, match=f"line 1: {said}"):
        read(path)


def test_a_reason_of_any_bytes_is_taken_in(store: Store, path: Path) -> None:
    write(path, journal("a", reason="\udcff\x00" + "x" * 9000))
    assert [taken.outcome for taken in take(store, path)] == ["ordered"]


@pytest.mark.parametrize("raw", [b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b"", b"1"])
def test_what_is_no_journal_is_refused(path: Path, raw: bytes) -> None:
    path.write_bytes(raw + b"\n")
    with pytest.raises(JournalError, match="line 1: "):
        read(path)


def test_lines_taken_out_are_missed(path: Path) -> None:
    lines = journal("a", "b", "c")
    with pytest.raises(JournalError, match="line 2: does not follow"):
        read(write(path, [lines[0], lines[2]]))
    with pytest.raises(JournalError, match="line 1: does not follow"):
        read(write(path, lines[1:]))


@pytest.mark.parametrize("cut", [2, 20])
def test_a_last_line_that_was_cut_off_is_passed_over_and_said(
    store: Store, path: Path, caplog: pytest.LogCaptureFixture, cut: int
) -> None:
    """A journal does not take it for written either: nobody acted on it."""
    whole = write(path, journal("a", "b", "c")).read_bytes()
    path.write_bytes(whole[:-cut])  # as by a power loss
    assert [taken.order.agent_id for taken in take(store, path)] == ["a", "b"]
    assert f"{path}, line 3: was cut off" in caplog.text
    path.write_bytes(b"x" * 2**21)  # no line of a journal is as long, cut off or not
    with pytest.raises(JournalError, match="line 1: "):
        read(path)


def test_a_journal_that_is_not_there_is_wrong_usage(path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read(path)
