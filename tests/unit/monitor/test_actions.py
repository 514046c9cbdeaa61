"""The action history: complete, each record once, in order, with who delegated; and its end."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from monitor.cli.app import run
from monitor.config import Config
from monitor.config_retention import HistoryConfig
from monitor.ledger import actions, settled
from monitor.ledger.tokens import Role
from monitor.retention import prune
from monitor.store import Store, shards
from monitor.store.schema import actions as actions_table
from tests.kit.api import bearer, served, token
from tests.kit.events import START_S, event, raw_event
from tests.unit.monitor.test_worker import drain, make

DAY_S = 86_400.0


def keeping(store: Store, log: Path, checkpoint_s: float = 0.0) -> Any:
    worker = make(store, log, checkpoint_s=checkpoint_s)
    worker.keeps_history = True
    return worker


def written(store: Store) -> list[str]:
    with store.read() as ledger:
        order = (actions_table.c.partition, actions_table.c.offset)
        query = select(actions_table.c.event_id).order_by(*order)
        return list(ledger.execute(query).scalars())


def put(store: Store, number: int, logged_at_s: float, **fields: Any) -> None:
    done = event(number, logged_at_s, **fields)
    with store.ledger() as ledger:
        actions.append(ledger, [actions.row("t", 0, number, logged_at_s, done, "read")])


def test_crashes_neither_lose_nor_double_what_was_done(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "BATCH", 20)
    log, ids = tmp_path / "events.jsonl", []
    for some in range(4):
        with log.open("ab") as file:
            for number in range(50 * some, 50 * some + 50):
                line = raw_event(number, START_S + number, agent_id=f"a{number % 3}") + b"\n"
                file.write(line * 2 if number % 10 == 0 else line)  # a producer that sends twice
                ids.append(f"e{number}")
        # A crash, with what was read since a checkpoint written in part, or not at all.
        worker = keeping(store, log, checkpoint_s=3600.0)
        drain(worker)
        if some == 1:
            worker.checkpoint()
    assert 0 < len(written(store)) < len(ids)
    last = keeping(store, log)
    drain(last)
    last.checkpoint()
    assert written(store) == ids


def test_a_shard_that_was_lost_writes_nothing_more(store: Store, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(raw_event(1) + b"\n")
    worker = keeping(store, log, checkpoint_s=3600.0)
    drain(worker)
    (owned,) = worker.owned.values()
    assert len(owned.keeping) == 1
    with store.ledger() as ledger:
        shards.claim(ledger, worker.source.name, 0, owner="other", now_s=START_S)
    worker.checkpoint()
    assert (worker.owned, written(store)) == ({}, [])


def test_nothing_is_kept_where_it_is_off(store: Store, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(raw_event(1) + b"\n")
    drain(make(store, log))
    assert written(store) == []
    assert not HistoryConfig(keep_days=0).is_kept


def test_an_action_is_kept_as_it_was(store: Store) -> None:
    fields: dict[str, Any] = {
        "tool": "send\x00mail", "target": "m@evil.example", "target_origin": "tool",
        "target_source": "read_inbox", "status": "denied", "data_class": "restricted",
        "bytes_out": 7, "bytes_in": 0, "records": 3, "user_id": "ann", "trace_id": "t",
    }  # fmt: skip
    put(store, 1, START_S, **fields)
    with store.read() as ledger:
        (one,) = actions.of_agent(ledger, "payroll-1", since_s=0.0, limit=9)
    expected = {**fields, "tool": "send\ufffdmail", "effect": "read", "offset": 1}
    assert {name: getattr(one, name) for name in expected} == expected
    assert (one.acted_at, one.logged_at) == (START_S, START_S)


def test_who_delegated_is_followed_within_the_run(store: Store) -> None:
    run_of = {"trace_id": "run-1"}
    put(store, 1, START_S, agent_id="root", **run_of)
    put(store, 2, START_S + 1, agent_id="planner", parent_agent_id="root", **run_of)
    put(store, 3, START_S + 2, agent_id="payroll-1", parent_agent_id="planner", **run_of)
    put(store, 4, START_S + 3, agent_id="planner", parent_agent_id="else", trace_id="run-2")
    put(store, 5, START_S + 4, agent_id="a", parent_agent_id="b", trace_id="ring")
    put(store, 6, START_S + 5, agent_id="b", parent_agent_id="a", trace_id="ring")
    put(store, 7, START_S + 6, agent_id="free", parent_agent_id="planner", trace_id=None)
    chains = {
        "payroll-1": ["root", "planner", "payroll-1"],
        "root": ["root"],
        "a": ["b", "a"],
        "free": ["planner", "free"],
    }
    with store.read() as ledger:
        for agent_id, chain in chains.items():
            (one,) = actions.of_agent(ledger, agent_id, since_s=0.0, limit=9)
            assert actions.chain(ledger, one) == chain


def test_the_old_and_the_too_many_are_forgotten(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "BATCH", 3)
    for number in range(10):
        put(store, number, START_S + number)
    week = Config(history=HistoryConfig(keep_days=1.0))
    prune(store, week, START_S + DAY_S + 5)
    assert written(store) == [f"e{number}" for number in range(5, 10)]
    prune(store, Config(history=HistoryConfig(max_actions=2)), START_S)
    assert written(store) == ["e8", "e9"]
    prune(store, Config(history=HistoryConfig(keep_days=0)), START_S + 100)
    assert written(store) == []


def test_an_agent_is_erased_from_it(store: Store) -> None:
    put(store, 1, START_S)
    put(store, 2, START_S, agent_id="other")
    with store.ledger() as ledger:
        assert settled.erase_agent(ledger, "payroll-1", START_S)["actions"] == 1
    assert written(store) == ["e2"]


@pytest.fixture
def told(store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store that the commands use, with a few actions of the last minutes."""
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", store_url)
    now_s = time.time()
    put(store, 1, now_s - 7200.0, tool="old_tool", trace_id="run-0")
    put(store, 2, now_s - 60.0, agent_id="planner", trace_id="run-1", parent_agent_id="root")
    fields: dict[str, Any] = {
        "trace_id": "run-1", "parent_agent_id": "planner", "user_id": "ann\x1b[2J",
        "target": "m@evil.example\u202e", "target_origin": "tool", "target_source": "read_inbox",
        "data_class": "restricted", "bytes_out": 12_345,
    }  # fmt: skip
    put(store, 3, now_s - 50.0, action="send", tool="mail", status="denied", **fields)
    put(store, 4, now_s - 40.0, trace_id="run-2")
    return store


def as_json(capsys: pytest.CaptureFixture[str], *options: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run(["actions", "payroll-1", *options, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_what_did_it_touch(told: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert [one["event_id"] for one in as_json(capsys)] == ["e1", "e3", "e4"]
    assert [one["event_id"] for one in as_json(capsys, "--since", "1h")] == ["e3", "e4"]
    assert [one["event_id"] for one in as_json(capsys, "--limit", "1")] == ["e4"]
    (one,) = as_json(capsys, "--trace", "run-1")
    assert one["delegation"] == ["root", "planner", "payroll-1"]
    assert (one["source"], one["partition"], one["offset"]) == ("t", 0, 3)
    assert run(["actions", "payroll-1"]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "run run-1 for ann\\x1b[2J: root > planner > payroll-1" in text
    assert (
        "send (read)  mail on m@evil.example\\u202e: denied, restricted, 12.3 k bytes out, " in text
    )
    assert "target from tool (read_inbox)" in text
    assert text.index("old_tool") < text.index("mail") < text.index("run run-2")
    assert run(["actions", "nobody"]) == 0
    assert "kept for 7 days (history.keep_days)" in capsys.readouterr().out
    assert run(["actions", "payroll-1", "--limit", "1"]) == 0
    assert "there are earlier ones" in capsys.readouterr().out
    assert run(["actions", "payroll-1", "--since", "yesterday"]) == 2
    assert "write it as 90s" in capsys.readouterr().err


def test_the_api_tells_the_same(
    told: Store, store_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = as_json(capsys)
    with served(told, store_url) as client:
        client.headers.update(bearer(secret := token(told, Role.VIEWER)))
        answer = client.get("/v1/agents/payroll-1/actions", params={"since": "7d"}).json()
        assert (answer["actions"], answer["more"], answer["keep_days"]) == (mine, False, 7.0)
        run_1 = client.get("/v1/agents/payroll-1/actions", params={"trace": "run-1", "limit": 1})
        assert [one["event_id"] for one in run_1.json()["actions"]] == ["e3"]
        assert client.get("/v1/agents/a/actions", params={"since": "soon"}).status_code == 400
        for_ever = client.get("/v1/agents/a/actions", params={"since": "9" * 39 + "w"})
        assert for_ever.json()["since"] == "1970-01-01T00:00:00.000+00:00"
        monkeypatch.setenv("TRIPSWITCH_TOKEN", secret)
        assert as_json(capsys, "--server", str(client.base_url)) == mine


def test_it_counts_each_record_once_whoever_writes_it(store: Store) -> None:
    for _ in range(2):
        put(store, 1, START_S)
    with store.read() as ledger:
        assert ledger.execute(select(func.count()).select_from(actions_table)).scalar_one() == 1
