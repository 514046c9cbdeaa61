"""What agents did, written by a thread while the worker reads on."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from monitor import worker as worker_module
from monitor.keeping import MAX_BATCHES, Keeping
from monitor.ledger import actions
from monitor.store import Store, shards
from monitor.store.schema import actions as actions_table
from monitor.store.shards import Claim, ShardLostError
from tests.kit.events import START_S, event, raw_event
from tests.kit.waiting import until
from tests.unit.monitor.test_worker import make

BATCH = 10


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "BATCH", BATCH)


@pytest.fixture
def claim(store: Store) -> Claim:
    with store.ledger() as ledger:
        return shards.claim(ledger, "t", 0, owner="test", now_s=START_S)


@pytest.fixture
def busy() -> Iterator[threading.Event]:
    """As long as it is not set, the writer is at something else."""
    done = threading.Event()
    yield done
    done.set()


@pytest.fixture
def writer(busy: threading.Event) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as writer:
        writer.submit(busy.wait)
        yield writer
        busy.set()


def act(keeping: Keeping, some: int) -> None:
    for number in range(keeping.added, keeping.added + some):
        keeping.add(actions.row("t", 0, number, START_S, event(number), "read"))


def written(store: Store) -> int:
    with store.read() as ledger:
        return int(ledger.execute(select(func.count()).select_from(actions_table)).scalar_one())


def test_a_batch_is_written_while_more_comes_in(
    store: Store, claim: Claim, writer: ThreadPoolExecutor, busy: threading.Event
) -> None:
    keeping = Keeping(claim)
    act(keeping, BATCH)
    assert not keeping.go_on(store, writer, BATCH)
    act(keeping, BATCH // 2)
    assert not keeping.go_on(store, writer, BATCH)
    assert (len(keeping), written(store)) == (BATCH + BATCH // 2, 0)
    busy.set()
    until(lambda: keeping.go_on(store, writer, BATCH))
    assert (len(keeping), written(store)) == (BATCH // 2, BATCH)
    until(lambda: keeping.go_on(store, writer, keeping.added))
    assert (len(keeping), written(store)) == (0, BATCH + BATCH // 2)


def test_without_a_writer_a_batch_is_written_at_once(store: Store, claim: Claim) -> None:
    keeping = Keeping(claim)
    act(keeping, BATCH + 1)
    assert keeping.go_on(store, None, BATCH)
    assert not keeping.go_on(store, None, BATCH + 2)
    assert (len(keeping), written(store)) == (0, BATCH + 1)


def test_what_was_added_since_is_not_waited_for(store: Store, claim: Claim) -> None:
    keeping = Keeping(claim)
    act(keeping, BATCH // 2)
    wanted = keeping.added
    keeping.finish(store, wanted)
    act(keeping, 1)
    keeping.finish(store, wanted)
    assert (len(keeping), written(store)) == (1, BATCH // 2)


def test_the_worker_waits_when_much_has_gathered(
    store: Store, claim: Claim, writer: ThreadPoolExecutor, busy: threading.Event
) -> None:
    keeping = Keeping(claim)
    act(keeping, BATCH)
    keeping.go_on(store, writer)
    act(keeping, (MAX_BATCHES - 1) * BATCH)
    threading.Timer(0.2, busy.set).start()
    keeping.go_on(store, writer)
    assert busy.is_set()
    assert len(keeping) == (MAX_BATCHES - 1) * BATCH
    assert written(store) >= BATCH, "the next one is on its way"


def test_what_could_not_be_written_is_written_by_the_next_call(
    store: Store, claim: Claim, writer: ThreadPoolExecutor, busy: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    busy.set()
    keeping, fails = Keeping(claim), [True, True]

    def append(*given: object) -> None:
        if fails:
            fails.pop()
            raise OperationalError("INSERT", {}, Exception("disk full"))
        actions_append(*given)  # type: ignore[arg-type]

    actions_append = actions.append
    monkeypatch.setattr(actions, "append", append)
    act(keeping, BATCH)
    with pytest.raises(OperationalError, match="disk full"):
        until(lambda: keeping.go_on(store, writer, BATCH))
    with pytest.raises(OperationalError, match="disk full"):
        keeping.go_on(store, writer, BATCH)
    act(keeping, 1)
    assert keeping.go_on(store, writer, BATCH)
    assert (len(keeping), written(store)) == (0, BATCH + 1)


def test_a_shard_that_another_claimed_writes_nothing_more(
    store: Store, claim: Claim, writer: ThreadPoolExecutor, busy: threading.Event
) -> None:
    busy.set()
    keeping = Keeping(claim)
    act(keeping, BATCH)
    with store.ledger() as ledger:
        shards.claim(ledger, claim.source, claim.partition, owner="other", now_s=START_S)
    with pytest.raises(ShardLostError):
        until(lambda: keeping.go_on(store, writer, BATCH))
    assert written(store) == 0


def test_no_checkpoint_passes_what_is_not_written(
    store: Store, tmp_path: Path, busy: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "MAX_AT_ONCE", 0)
    log = tmp_path / "events.jsonl"
    worker = make(store, log)
    worker.keeps_history = True
    worker._threads.ledger.submit(busy.wait)
    with log.open("wb") as file:
        for number in range(3):
            file.write(raw_event(number, START_S + number) + b"\n")
    for _ in range(20):
        worker.step()
    (owned,) = worker.owned.values()
    assert owned.saving is not None, "it has begun"
    assert (owned.saved_offset < owned.next_offset, written(store)) == (True, 0)
    busy.set()

    def is_saved() -> bool:
        worker.step()
        return owned.saved_offset == owned.next_offset

    until(is_saved)
    assert written(store) == 3
