"""Checkpoints of many profiles, which go on between batches."""

import random
from pathlib import Path

import pytest
from sqlalchemy import func, select

from monitor import worker as worker_module
from monitor.store import Store
from monitor.store.schema import profiles
from monitor.worker import Worker
from tests.kit.stream import odd_stream
from tests.kit.waiting import until
from tests.unit.monitor.test_worker import drain, make, replayed, stored


@pytest.fixture(autouse=True)
def _gradually(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "MAX_AT_ONCE", 0)


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is put down between two batches: only what changes is."""
    monkeypatch.setattr(worker_module, "_SAVING_S", -1.0)


def write(log: Path, lines: list[bytes]) -> None:
    with log.open("ab") as file:
        file.write(b"".join(line + b"\n" for line in lines))


def count(store: Store) -> int:
    with store.read_state() as state:
        return int(state.execute(select(func.count()).select_from(profiles)).scalar_one())


def offsets(worker: Worker) -> tuple[int, int, int]:
    (owned,) = worker.owned.values()
    return owned.saved_offset, owned.snapshot_offset, owned.next_offset


def test_it_is_stored_while_the_shard_goes_on(store: Store, tmp_path: Path) -> None:
    lines, log = odd_stream(600), tmp_path / "events.jsonl"
    worker = make(store, log)
    write(log, lines[:200])
    worker.step()
    worker.step()

    def stored_by_now() -> bool:
        worker.step()
        return offsets(worker)[0] > 0

    until(stored_by_now)
    assert count(store) == 7
    saved, _, reached = offsets(worker)
    assert saved == reached


@pytest.mark.usefixtures("slowly")
def test_what_changes_meanwhile_is_not_in_it(store: Store, tmp_path: Path) -> None:
    """A crash right behind it finds the profiles as they were at its place, and only these."""
    lines, log = odd_stream(1200), tmp_path / "events.jsonl"
    first = make(store, log)
    write(log, lines[:400])
    for _ in range(3):
        first.step()
    saved, begun, _ = offsets(first)
    assert saved < begun, "it has begun"
    write(log, lines[400:700])
    first.step()
    assert offsets(first)[2] > begun
    first._finish_saving()
    assert offsets(first)[0] == begun
    again = make(store, log, checkpoint_s=3600.0)
    write(log, lines[700:])
    drain(again)
    assert sorted(stored(store)) == sorted(replayed(lines))


@pytest.mark.usefixtures("slowly")
def test_its_profiles_stay_in_memory_until_it_is_stored(store: Store, tmp_path: Path) -> None:
    lines, log = odd_stream(400), tmp_path / "events.jsonl"
    worker = make(store, log)
    write(log, lines)
    for _ in range(3):
        worker.step()
    (owned,) = worker.owned.values()
    owned.shard.follow(owned.shard.policy)
    owned.shard.forget_beyond(0)
    assert len(owned.shard.profiles) == 7
    worker._finish_saving()
    owned.shard.forget_beyond(0)
    assert owned.shard.profiles == {}


@pytest.mark.parametrize("seed", range(2))
def test_crashes_at_any_time_neither_forget_nor_repeat(
    store: Store, tmp_path: Path, seed: int
) -> None:
    rng, lines, log = random.Random(seed), odd_stream(1200, seed=seed), tmp_path / "events.jsonl"
    written = 0
    while written < len(lines):
        worker = make(store, log, checkpoint_s=rng.choice([0.0, 0.0, 3600.0]))
        for _ in range(rng.randrange(1, 9)):
            some = rng.randrange(1, 120)
            write(log, lines[written : written + some])
            written += some
            worker.step()
    drain(make(store, log))
    assert sorted(stored(store)) == sorted(replayed(lines))


def test_a_stop_ends_it(store: Store, tmp_path: Path) -> None:
    lines, log = odd_stream(400), tmp_path / "events.jsonl"
    worker = make(store, log)
    write(log, lines)
    for _ in range(3):
        worker.step()
    worker.stop()
    worker.run()
    saved, _, reached = offsets(worker)
    assert saved == reached
    assert count(store) == 7
