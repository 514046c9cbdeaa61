"""How often the watchtower looks at the trips, and writes what it counted."""

import time
from pathlib import Path

import pytest
from sqlalchemy import select

from monitor import watchtower
from monitor.ledger import trips as ledger_trips
from monitor.ledger.trips import order_kill
from monitor.sources.log_file import LogFileSource
from monitor.store import Store
from monitor.store.schema import trips
from monitor.watchtower import Watchtower
from monitor.worker import Worker
from tests.kit.events import raw_event
from tests.unit.monitor.test_worker import drain, make


@pytest.mark.parametrize(("takes_s", "looks_in_a_second"), [(0.0, 5), (0.2, 2)])
def test_looks_that_take_long_are_fewer(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    takes_s: float,
    looks_in_a_second: int,
) -> None:
    looks = 0

    def watched(_ledger: object) -> list[ledger_trips.Watched]:
        nonlocal looks
        looks += 1
        time.sleep(takes_s)
        return []

    monkeypatch.setattr(ledger_trips, "watched", watched)
    monkeypatch.setattr(watchtower, "_REST", 10 if takes_s else 0)
    tower, source = Watchtower(2.0, 30.0), LogFileSource(tmp_path / "events.jsonl")
    for hundredth in range(101):
        tower.look(store, source, {}, 1000.0 + hundredth / 100)
        if takes_s:
            tower.reported(1000.0)  # which makes a quick one look again at once
    assert looks == looks_in_a_second


def test_tries_of_an_agent_that_is_cut_off_are_counted_now_and_then(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with each batch, but before a checkpoint passes them: a crash loses and repeats none."""
    log, wrote = tmp_path / "events.jsonl", 0
    log.write_bytes(raw_event(0, time.time(), agent_id="a") + b"\n")
    drain(make(store, log))
    with store.ledger() as ledger:
        order_kill(
            ledger, agent_id="a", reason="r", ordered_by="os:a", automatic=False,
            now_s=time.time() - 5, points=(), receivers=(),
        )  # fmt: skip
    monkeypatch.setattr(watchtower, "COUNT_EVERY_S", 3600.0)

    def tried(worker: Worker, times: int) -> int:
        nonlocal wrote
        for _ in range(times):
            wrote += 1
            with log.open("ab") as file:
                file.write(raw_event(wrote, time.time(), agent_id="a", status="denied") + b"\n")
            worker.step()
        with store.read() as ledger:
            return int(ledger.execute(select(trips.c.refused_count)).scalar_one())

    first = make(store, log, checkpoint_s=3600.0)
    first.step()
    assert tried(first, 5) == 1, "the first is written at once, the others wait"
    crashed = make(store, log, checkpoint_s=3600.0)  # and reads them again
    crashed.step()
    assert tried(crashed, 1) == 6
    assert tried(crashed, 2) == 6
    crashed.checkpoint()
    assert tried(crashed, 0) == 8
