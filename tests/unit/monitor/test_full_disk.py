"""A disk that is full: it is said, nothing is lost, and work goes on once there is room.

SQLite alone: it has a limit of its own that is the very error of a full disk. To a PostgreSQL that
is full the worker is no other than to one that fails, as in test_worker and test_store.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, func, select

from monitor.config import Config, StoreConfig
from monitor.current import Current
from monitor.health_probes import WorkerProbe
from monitor.ledger import actions
from monitor.store import Store
from monitor.store.schema import actions as actions_table
from tests.kit.cramped import limit
from tests.kit.stream import odd_stream
from tests.unit.monitor.test_worker import make, replayed, stored

PATIENCE_S = 90.0


class Disk:
    """Where SQLite's files are; `full` files cannot grow."""

    full = False

    def limit(self, connection: Connection) -> None:
        """Told to each transaction at its begin."""
        limit(connection, is_full=self.full)


@pytest.fixture
def disk() -> Iterator[Disk]:
    made = Disk()
    event.listen(Engine, "begin", made.limit)
    yield made
    event.remove(Engine, "begin", made.limit)


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_full_disk_is_said_and_waited_for(
    disk: Disk, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "BATCH", 200)
    lines, log = odd_stream(1200), tmp_path / "events.jsonl"
    log.write_bytes(b"\n".join(lines[:200]) + b"\n")
    store = Store.open(StoreConfig(url=f"sqlite:///{tmp_path / 'ledger.db'}"))
    worker = make(store, log)
    worker.keeps_history = True
    running = threading.Thread(target=worker.run)
    running.start()
    try:
        wait_for(lambda: worker.counts.events + worker.counts.rejected == 200)
        disk.full = True
        with log.open("ab") as file:
            file.write(b"\n".join(lines[200:]) + b"\n")
        with caplog.at_level(logging.ERROR):
            wait_for(lambda: "database or disk is full; trying again" in caplog.text)
        looked = WorkerProbe(worker, Current(Config()))(time.time())
        (full,) = (trouble for trouble in looked if trouble.kind == "store")
        assert "full" in full.text
        read = worker.counts.events + worker.counts.rejected
        assert read < len(lines), "what cannot be kept is not read"
        disk.full = False
        wait_for(lambda: worker.counts.events + worker.counts.rejected == len(lines))
        wait_for(lambda: worker.pulse.failing is None)
    finally:
        worker.stop()
        running.join(PATIENCE_S)
    assert not running.is_alive()
    assert sorted(stored(store)) == sorted(replayed(lines))
    with store.read() as ledger:
        kept = ledger.execute(select(func.count()).select_from(actions_table)).scalar_one()
    assert kept == worker.counts.events - worker.counts.repeats
    store.close()
