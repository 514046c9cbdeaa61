"""What a person teaches meets a profile once, at one place of the log, whatever crashes."""

import json
import random
from pathlib import Path

import pytest
from sqlalchemy import Table, select, update
from sqlalchemy.exc import OperationalError

from baselines.profile import Profile
from monitor import directives
from monitor.cli.app import run
from monitor.ledger import audit
from monitor.ledger import directives as ledger_directives
from monitor.ledger.directives import Directive
from monitor.store import Store, shards
from monitor.store.schema import claims, profiles
from monitor.store.schema import directives as table
from monitor.store.schema import shards as shards_table
from monitor.worker import Worker
from tests.kit.stream import odd_stream
from tests.unit.monitor.test_worker import drain, make

LINES = odd_stream(900, agents=3)
AGENT = "agent-1"
NEVER_S = 3600.0


@pytest.fixture(autouse=True)
def at_the_command_line(store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands use the same store."""
    monkeypatch.setenv("TRIPSWITCH_STORE__URL", store_url)


def write(log: Path, lines: list[bytes]) -> None:
    with log.open("ab") as file:
        file.write(b"".join(line + b"\n" for line in lines))


def tell() -> None:
    assert run(["agents", "approve", AGENT, "--reason", "new scope", "--by", "alice"]) == 0


def dumped(worker: Worker) -> list[object]:
    (owned,) = worker.owned.values()
    profiles = owned.shard.profiles
    return [profiles[agent_id].dump() for agent_id in sorted(profiles)]


def offsets(store: Store) -> list[int | None]:
    with store.read() as ledger:
        return list(ledger.execute(select(table.c.offset).order_by(table.c.seq)).scalars())


def state_of(store: Store) -> dict[Table, list[dict[str, object]]]:
    """Everything that checkpoints have saved."""
    with store.state() as state:
        tables = (shards_table, profiles)
        return {t: [dict(row) for row in state.execute(select(t)).mappings()] for t in tables}


def restore(store: Store, older: dict[Table, list[dict[str, object]]]) -> None:
    """Put an older state back."""
    with store.state() as state:
        for one, rows in older.items():
            state.execute(one.delete())
            if rows:
                state.execute(one.insert(), rows)


def mark(profile: Profile, _directive: Directive) -> None:
    """A directive that leaves a mark of where it was applied, each time."""
    approved = profile.conduct.approved
    approved.by = f"{approved.by or ''} {profile.events}"


def undisturbed(store: Store, log: Path) -> list[object]:
    """Two thirds, an approval, the rest; in one process, without a crash."""
    worker = make(store, log)
    write(log, LINES[:600])
    drain(worker)
    tell()
    drain(worker, until=lambda: None not in offsets(store))
    write(log, LINES[600:])
    drain(worker)
    return dumped(worker)


def test_a_directive_is_applied_within_the_next_checkpoints(store: Store, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    worker = make(store, log)
    write(log, LINES[:600])
    drain(worker)
    tell()
    drain(worker, until=lambda: None not in offsets(store))
    (owned,) = worker.owned.values()
    assert offsets(store) == [owned.next_offset]
    assert owned.shard.profiles[AGENT].conduct.approved.by == "alice"
    assert owned.shard.profiles["agent-2"].conduct.approved.by is None
    with store.read() as ledger:
        assert "directive approve" in [entry["action"] for entry in audit.entries(ledger, 10)]


def test_a_crash_before_the_next_checkpoint_applies_it_at_the_same_place(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(directives.KINDS, "approve", mark)
    log = tmp_path / "events.jsonl"
    expected = undisturbed(store, log)
    with store.ledger() as ledger:
        (stamp,) = ledger.execute(select(table.c.offset)).scalars()
        stored = ledger.execute(select(table)).mappings().one()
    other_log = tmp_path / "other" / "events.jsonl"
    other_log.parent.mkdir()
    write(other_log, LINES[:257])
    drain(make(store, other_log))  # its last checkpoint
    write(other_log, LINES[257:600])
    drain(make(store, other_log, checkpoint_s=NEVER_S))  # crashes without one
    with store.ledger() as ledger:  # stamped, as the crashed one would have
        again = {**stored, "seq": 77, "source": str(other_log), "offset": stamp}
        ledger.execute(table.insert().values(**again))
    write(other_log, LINES[600:])
    restarted = make(store, other_log, checkpoint_s=NEVER_S)
    drain(restarted)
    assert dumped(restarted) == expected
    drain(second := make(store, other_log, checkpoint_s=NEVER_S))
    assert dumped(second) == expected, "and after one more crash"


def test_a_crash_right_after_the_stamp_and_one_after_its_checkpoint(
    store: Store, tmp_path: Path
) -> None:
    log = tmp_path / "a" / "events.jsonl"
    other = tmp_path / "b" / "events.jsonl"
    log.parent.mkdir()
    other.parent.mkdir()
    expected = undisturbed(store, log)
    write(other, LINES[:600])
    drain(make(store, other))
    tell()  # the agent was seen last in this log, or in the other one: both hold it
    with store.ledger() as ledger:
        created = ledger.execute(select(table.c.created_at).order_by(table.c.seq)).scalars().all()
        ledger.execute(
            update(table)
            .where(table.c.created_at == created[-1])
            .values(source=str(other), created_at=created[0])
        )
    stamped = make(store, other)
    drain(stamped, until=lambda: None not in offsets(store))  # and is left as it stands
    write(other, LINES[600:800])
    drain(make(store, other))  # applies it again, and saves it
    write(other, LINES[800:])
    last = make(store, other)
    drain(last)
    for agent_id in {AGENT, "agent-0", "agent-2"}:
        with last.store.state() as state:
            (owned,) = last.owned.values()
            rules = owned.shard.policy.rules
            ((profile,), _) = shards.load_profiles(state, owned.claim, {agent_id}, rules)
        assert profile.dump() in expected


@pytest.mark.parametrize("seed", range(4))
def test_whatever_crashes_each_is_applied_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setitem(directives.KINDS, "approve", mark)
    rng, log, written, told = random.Random(seed), tmp_path / "events.jsonl", 0, 0
    older = state_of(store)
    while written < len(LINES):
        some = rng.randrange(1, len(LINES) // 8)
        write(log, LINES[written : written + some])
        written += some
        worker = make(store, log, checkpoint_s=rng.choice([0.0, 0.0, NEVER_S]))
        for _ in range(rng.randrange(1, 4)):
            worker.step()
        if written > 300 and rng.random() < 0.6:
            drain(make(store, log))  # it is known by now
            tell()
            told += 1
            if rng.random() < 0.5:
                drain(make(store, log))  # stamped at the end of what was written
        if rng.random() < 0.3:
            restore(store, older)  # a power failure: the state is not synced as the ledger is
            if rng.random() < 0.7:
                drain(make(store, log))
        if rng.random() < 0.3:
            older = state_of(store)
    last = make(store, log)
    drain(last, until=lambda: None not in offsets(store))
    (owned,) = last.owned.values()
    owned.admit(store, {AGENT, "agent-0", "agent-2"} - owned.shard.profiles.keys())
    assert told > 1
    assert len(str(owned.shard.profiles[AGENT].conduct.approved.by).split()) == told


def test_a_commit_whose_answer_was_lost_is_applied_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "events.jsonl"
    monkeypatch.setattr("monitor.durable.RETRY_S", 0.01)
    worker = make(store, log, checkpoint_s=NEVER_S)
    write(log, LINES[:600])
    drain(worker)
    worker.checkpoint()
    tell()
    real, lost = ledger_directives.since, iter([True])

    def since(*arguments: object) -> object:
        if next(lost, False):
            raise OperationalError("COMMIT", {}, Exception("connection lost"))
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ledger_directives, "since", since)
    worker.checkpoint()
    (owned,) = worker.owned.values()
    assert owned.applied == {1}
    assert owned.shard.profiles[AGENT].conduct.approved.by == "alice"


def test_who_lost_the_shard_stamps_nothing(store: Store, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    worker = make(store, log, checkpoint_s=NEVER_S)
    write(log, LINES[:600])
    drain(worker)
    worker.checkpoint()
    tell()
    with store.ledger() as ledger:
        ledger.execute(update(claims).values(epoch=99))
    worker.checkpoint()
    assert offsets(store) == [None]


def test_a_profile_that_left_memory_is_loaded_for_it(store: Store, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    worker = make(store, log)
    write(log, LINES[:600])
    drain(worker)
    (owned,) = worker.owned.values()
    owned.shard.profiles.clear()
    tell()
    worker.checkpoint()
    assert owned.shard.profiles[AGENT].conduct.approved.by == "alice"
    assert AGENT in owned.shard.dirty


def test_an_unknown_kind_is_said_and_skipped(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = tmp_path / "events.jsonl"
    worker = make(store, log)
    write(log, LINES[:600])
    drain(worker)
    tell()
    with store.ledger() as ledger:
        ledger.execute(update(table).values(kind="praise"))
    worker.checkpoint()
    assert "directive 1 (praise)" in caplog.text
    assert "unknown kind" in caplog.text


def test_approve_needs_an_agent_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["agents", "approve", "nobody", "--reason", "r"]) == 5
    assert "no profile of agent 'nobody'" in capsys.readouterr().err
    assert run(["agents", "drift", "nobody"]) == 5


def test_drift_as_json_and_as_text(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "events.jsonl"
    write(log, LINES)
    drain(make(store, log))
    assert run(["agents", "drift", "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {one["agent_id"] for one in told} == {"agent-0", "agent-1", "agent-2"}
    assert all(len(one["weeks"]) == 4 and one["approved_by"] is None for one in told)
    assert run(["agents", "drift", AGENT]) == 0
    assert capsys.readouterr().out.startswith("agent-1 (clerk): not taken yet")


def test_old_ones_are_forgotten_and_new_ones_wait(store: Store, tmp_path: Path) -> None:
    with store.ledger() as ledger:
        first, _ = (
            ledger_directives.order(
                ledger, agent_id=AGENT, kind="approve", by="a", actor="os:a", reason="r",
                place=("topic", number), now_s=5.0,
            )
            for number in range(2)
        )  # fmt: skip
        ledger_directives.stamp(ledger, [first], 10, 6.0)
        ledger_directives.prune(ledger, 7.0)
        kept = ledger_directives.newest(ledger, AGENT, 10)
    assert [(one.partition, one.offset) for one in kept] == [(1, None)]
