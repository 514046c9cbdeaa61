"""How often the watchtower looks at the trips, and writes what it counted."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, select

from alerting.killswitch import AgentState
from alerting.trip_policy import Guards, Rule
from monitor import watchtower
from monitor.ledger import agents
from monitor.ledger import trips as ledger_trips
from monitor.ledger.response import Response
from monitor.ledger.trips import order_kill, order_restore
from monitor.sources.log_file import LogFileSource
from monitor.store import Store
from monitor.store.schema import anomalies, outbox, trips
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


def test_an_agent_that_was_just_restored_does_not_still_act(store: Store, tmp_path: Path) -> None:
    """The worker has not looked since: what it reads then is no breach, and no rule cuts it off."""
    log = tmp_path / "events.jsonl"
    log.write_bytes(raw_event(0, time.time(), agent_id="a") + b"\n")
    cut = Rule("cut", mode="enforce", detectors=("containment",))
    worker = make(store, log, Response([cut], Guards(), ["terminal"], ["registry"], 3600.0))
    drain(worker)
    with store.ledger() as ledger:
        order_kill(
            ledger, agent_id="a", reason="r", ordered_by="os:a", automatic=False,
            now_s=time.time() - 5, points=(), receivers=(),
        )  # fmt: skip
    drain(worker, until=lambda: "a" in worker.watchtower.watches)
    worker.watchtower._looked_at_s, worker.watchtower._look_every_s = time.monotonic(), 3600.0
    with store.ledger() as ledger:
        order_restore(
            ledger, agent_id="a", reason="mended", ordered_by="os:a", now_s=time.time(),
            probation_s=60.0, receivers=(),
        )  # fmt: skip
        told = ledger.execute(select(outbox.c.doc)).all()
    with log.open("ab") as file:
        file.write(raw_event(1, time.time(), agent_id="a") + b"\n")
    drain(worker)
    worker.checkpoint()
    assert worker.counts.events == 2
    with store.read() as ledger:
        assert ledger.execute(select(trips.c.effective_count)).scalars().all() == [0]
        assert ledger.execute(select(anomalies.c.detector)).all() == []
        assert ledger.execute(select(outbox.c.doc)).all() == told
        assert agents.state_of(ledger, "a") is AgentState.PROBATION


def test_what_still_acts_keeps_its_role_though_it_leaves_it_out(
    store: Store, tmp_path: Path
) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(raw_event(0, time.time(), agent_id="a", role="payroll") + b"\n")
    worker = make(store, log)
    drain(worker)
    with store.ledger() as ledger:
        order_kill(
            ledger, agent_id="a", reason="r", ordered_by="os:a", automatic=False,
            now_s=time.time() - 60, points=(), receivers=(),
        )  # fmt: skip
    drain(worker, until=lambda: "a" in worker.watchtower.watches)
    with log.open("ab") as file:
        file.write(raw_event(1, time.time(), agent_id="a") + b"\n")
    drain(worker)
    with store.read() as ledger:
        found = ledger.execute(select(anomalies.c.detector, anomalies.c.doc)).all()
    assert [one.detector for one in found] == ["containment"]
    assert json.loads(found[0].doc)["role"] == "payroll"


def test_a_clock_that_is_set_back_holds_up_neither_looks_nor_counts(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, clock, wrote = tmp_path / "events.jsonl", time.time, 0
    worker = make(store, log, checkpoint_s=3600.0)

    def write(agent_id: str, **fields: str) -> None:
        nonlocal wrote
        wrote += 1
        with log.open("ab") as file:
            file.write(raw_event(wrote, clock(), agent_id=agent_id, **fields) + b"\n")

    for agent_id in ("a", "b"):
        write(agent_id)
    drain(worker)
    kill(store, "a")
    drain(worker, until=lambda: "a" in worker.watchtower.watches)
    write("a", status="denied")
    drain(worker, until=lambda: trip_of(store, "a").refused_count == 1)
    monkeypatch.setattr(time, "time", lambda: clock() - 3600)
    kill(store, "b")
    drain(worker, until=lambda: "b" in worker.watchtower.watches)
    write("a", status="denied")
    drain(worker, until=lambda: trip_of(store, "a").refused_count == 2)


def test_a_record_that_is_dated_ahead_proves_no_silence_and_puts_none_off(
    store: Store, tmp_path: Path
) -> None:
    log, wrote = tmp_path / "events.jsonl", 0
    ahead = LogFileSource(log, clock=lambda: time.time() + 86_400)
    worker = make(store, log, source=ahead)
    worker.watchtower.silent_after_s = 3600.0

    def write(agent_id: str, ahead_s: float = 0.0) -> None:
        nonlocal wrote
        wrote += 1
        with log.open("ab") as file:
            file.write(raw_event(wrote, time.time() + ahead_s, agent_id=agent_id) + b"\n")

    write("a")
    drain(worker)
    kill(store, "a")
    drain(worker, until=lambda: "a" in worker.watchtower.watches)
    write("a", ahead_s=86_400)
    write("other", ahead_s=86_400)
    drain(worker, until=lambda: trip_of(store, "a").effective_count == 1)
    assert worker.owned[0].watermark_s <= time.time()
    assert trip_of(store, "a").silent_at is None
    worker.watchtower.silent_after_s = 0.1
    time.sleep(0.1)
    write("other")
    drain(worker, until=lambda: trip_of(store, "a").silent_at is not None)


def kill(store: Store, agent_id: str) -> None:
    with store.ledger() as ledger:
        order_kill(
            ledger, agent_id=agent_id, reason="r", ordered_by="os:a", automatic=False,
            now_s=time.time(), points=(), receivers=(),
        )  # fmt: skip


def trip_of(store: Store, agent_id: str) -> Row[Any]:
    with store.read() as ledger:
        return ledger.execute(select(trips).where(trips.c.agent_id == agent_id)).one()
