"""The break-glass journal: chained, whole lines alone, and numbered above any count."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import audit_journal
from monitor.journal import Journal
from monitor.ledger import agents, trips
from monitor.store import Store

NOW = 1_700_000_000.0


def append(path: Path, agent_id: str = "a", reason: str = "r", **more: Any) -> dict[str, Any]:
    return Journal(path).append(
        actor="os:alice", action="kill ordered", agent_id=agent_id, reason=reason, **more
    )


def test_lines_follow_each_other_and_are_taken_for_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "new" / "j.jsonl"
    first, second = append(path), append(path, points=[{"point": "p", "state": "failed"}])
    assert second["prev_hash"] == first["hash"]
    assert second["order_seq"] > first["order_seq"] >= int(time.time() * 1000) - 60_000
    read = audit_journal.read(path)
    assert [line.journal_id for line in read] == [first["journal_id"], second["journal_id"]]
    assert path.stat().st_mode & 0o777 == 0o600


def test_numbers_rise_though_the_clock_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = append(tmp_path / "j.jsonl")
    monkeypatch.setattr(time, "time", lambda: 5.0)
    assert append(tmp_path / "j.jsonl")["order_seq"] == first["order_seq"] + 1


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_line_that_was_torn_off_stands_for_nothing(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "j.jsonl"
    first = append(path)
    append(path)
    path.write_bytes(path.read_bytes()[:-cut])
    third = append(path)
    assert third["prev_hash"] == first["hash"]
    assert len(audit_journal.read(path)) == 2


@pytest.mark.parametrize(
    "last",
    ["no json", "[]", "1", "null", "{}", '{"hash": 1, "order_seq": 1}', '{"hash": "0"}',
     "[" * 100_000],
)  # fmt: skip
def test_what_is_no_journal_is_not_added_to(tmp_path: Path, last: str) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text(f"{last}\n")
    with pytest.raises(ValueError, match="its last line is no line of a journal"):
        append(path)
    assert path.read_text() == f"{last}\n"


def test_several_processes_may_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: append(path, f"a{n}"), range(20)))
    assert len({line.agent_id for line in audit_journal.read(path)}) == 20


@given(agent_id=st.text(min_size=1, max_size=50), reason=st.text(max_size=50))
def test_any_text_survives(
    tmp_path_factory: pytest.TempPathFactory, agent_id: str, reason: str
) -> None:
    path = tmp_path_factory.mktemp("journal") / "j.jsonl"
    append(path, agent_id, reason)
    assert json.loads(path.read_bytes())["agent_id"] == agent_id


def order(store: Store, after_seq: int = 0) -> trips.Trip:
    with store.ledger() as ledger:
        return trips.order_kill(
            ledger, agent_id="a", reason="r", ordered_by="os:a", automatic=False, now_s=NOW,
            points=("registry", "kafka"), receivers=(), after_seq=after_seq,
        )  # fmt: skip


def test_the_ledger_counts_on_above_a_number_of_the_clock(store: Store) -> None:
    glass = 1_800_000_000_000
    assert order(store).order_seq == NOW * 1000
    assert not order(store, glass).is_new
    with store.ledger() as ledger:
        (leased,) = trips.lease_due(ledger, "me", NOW, 10.0, only=("kafka",))
        assert leased.order.order_seq == agents.lock(ledger, "a", NOW).order_seq == glass + 1
        trips.settle_point(ledger, leased, error=None, receivers=(), now_s=NOW)
        trips.order_restore(
            ledger, agent_id="a", reason="r", ordered_by="os:a", now_s=NOW, probation_s=0,
            receivers=(),
        )  # fmt: skip
    # The points were told of a kill that they take as later than the restore: it is sent again.
    with store.ledger() as ledger:
        trips.number_above(ledger, "a", glass + 10, NOW)
        (leased,) = trips.lease_due(ledger, "me", NOW, 10.0, only=("kafka",))
        assert (leased.order.direction, leased.order.order_seq) == ("restore", glass + 11)
