import json
import random
import time
from collections.abc import Callable
from math import inf
from pathlib import Path

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import OperationalError

from alerting.trip_policy import Guards, Rule
from detectors.budget import Budget
from detectors.finding import Severity
from detectors.shard import Policy
from monitor.dead_letter import FileDeadLetters
from monitor.ledger.response import Response
from monitor.ledger.trips import order_kill
from monitor.replay import Replay
from monitor.sources.log_file import LogFileSource
from monitor.store import Store
from monitor.store.schema import alerts, anomalies, outbox, shards, trips
from monitor.timing import Timing
from monitor.watchtower import Watchtower
from monitor.worker import Worker
from tests.kit.events import raw_event
from tests.kit.fault_stream import fault_stream
from tests.kit.stream import odd_stream

POLICY = Policy.of(Budget(200.0))
RESPONSE = Response([], Guards(), ["terminal"], ["registry"], quiet_s=3600.0)


def make(
    store: Store,
    log: Path,
    response: Response = RESPONSE,
    source: LogFileSource | None = None,
    **timing: float,
) -> Worker:
    return Worker(
        source=source or LogFileSource(log),
        store=store,
        dead_letters=FileDeadLetters(log.with_suffix(".rejected.jsonl")),
        policy=POLICY,
        response=response,
        watchtower=Watchtower(allowed_skew_s=0.0, silent_after_s=1.0),
        owner="test",
        on_ledger=lambda: None,
        timing=Timing(poll_s=0.01, checkpoint_s=timing.get("checkpoint_s", 0.0)),
    )


def drain(worker: Worker, until: Callable[[], bool] | None = None) -> None:
    """Step until there is nothing more to read."""
    deadline = time.monotonic() + 60
    worker.step()
    while worker.step() or (until is not None and not until()):
        assert time.monotonic() < deadline


def replayed(lines: list[bytes]) -> list[str]:
    found: list[str] = []
    replay = Replay(POLICY, RESPONSE, on_anomaly=lambda a: found.append(a.anomaly_id))
    replay.run(iter(lines), "log")
    return found


def stored(store: Store) -> list[str]:
    with store.read() as ledger:
        return list(ledger.execute(select(anomalies.c.anomaly_id)).scalars())


def test_the_live_run_finds_what_the_replay_finds(store: Store, tmp_path: Path) -> None:
    lines, log = odd_stream(), tmp_path / "events.jsonl"
    log.write_bytes(b"\n".join(lines) + b"\n")
    worker = make(store, log)
    drain(worker)
    expected = replayed(lines)
    assert len(expected) > 50
    assert sorted(stored(store)) == sorted(expected)
    rejected = log.with_suffix(".rejected.jsonl").read_text().splitlines()
    assert len(rejected) == worker.counts.rejected == len(lines) - worker.counts.events > 0


@pytest.mark.parametrize("seed", range(4))
def test_crashes_neither_forget_nor_repeat_nor_skip(
    store: Store, tmp_path: Path, seed: int
) -> None:
    rng, log = random.Random(seed), tmp_path / "events.jsonl"
    lines = list(fault_stream(rng, 1500, 7))  # also late, out of order, and sent twice
    written = 0
    while written < len(lines):
        some = rng.randrange(1, len(lines) // 4)
        with log.open("ab") as file:
            file.write(b"".join(line + b"\n" for line in lines[written : written + some]))
        written += some
        # A crash: the worker is left as it stands; some had a checkpoint, some had none.
        drain(make(store, log, checkpoint_s=rng.choice([0.0, 3600.0])))
    drain(make(store, log))
    with store.read() as ledger:
        told = list(ledger.execute(select(outbox.c.delivery_id)).scalars())
        opened = list(ledger.execute(select(alerts.c.alert_id)).scalars())
    assert sorted(stored(store)) == sorted(replayed(lines))
    assert len(told) == len(set(told)) >= len(opened) > 0


def test_what_a_producer_sends_again_after_a_restart_is_passed_over(
    store: Store, tmp_path: Path
) -> None:
    lines, log = odd_stream(400), tmp_path / "events.jsonl"
    log.write_bytes(b"\n".join(lines) + b"\n")
    first = make(store, log)
    drain(first)
    before = stored(store)
    with log.open("ab") as file:
        file.write(b"\n".join(lines[-30:]) + b"\n")
    second = make(store, log)
    drain(second)
    assert second.counts.events + second.counts.rejected == 30
    assert second.counts.repeats == second.counts.events > 20
    assert stored(store) == before


def test_from_the_latest_on_a_crash_before_the_first_checkpoint_passes_nothing_over(
    store: Store, tmp_path: Path
) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(raw_event(0) + b"\n")
    first = make(store, log, source=LogFileSource(log, "latest"))
    first._next_checkpoint_s = inf
    first.step()
    with log.open("ab") as file:
        file.write(raw_event(1) + b"\n")
    drain(first)
    second = make(store, log, source=LogFileSource(log, "latest"))
    drain(second)
    assert first.counts.events == second.counts.events == 1


def test_a_second_owner_stops_the_first(store: Store, tmp_path: Path) -> None:
    lines, log = odd_stream(500), tmp_path / "events.jsonl"
    log.write_bytes(b"\n".join(lines[:200]) + b"\n")
    first = make(store, log, checkpoint_s=3600.0)
    drain(first)
    second = make(store, log)
    drain(second)
    with log.open("ab") as file:
        file.write(b"\n".join(lines[200:]) + b"\n")
    drain(second)
    before = stored(store)
    first.checkpoint()
    assert first.owned == {}, "what it had is dropped"
    drain(first)
    assert stored(store) == before


def test_while_the_store_fails_nothing_is_dropped(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lines, log = odd_stream(), tmp_path / "events.jsonl"
    log.write_bytes(b"\n".join(lines) + b"\n")
    worker = make(store, log)
    monkeypatch.setattr("monitor.durable.RETRY_S", 0.01)
    real, failures = store.ledger, iter(range(5))

    def failing(**how: bool) -> object:
        if next(failures, None) is not None:
            raise OperationalError("INSERT", {}, Exception("database or disk is full"))
        return real(**how)

    monkeypatch.setattr(store, "ledger", failing)
    drain(worker)
    assert sorted(stored(store)) == sorted(replayed(lines))
    assert "database or disk is full" in caplog.text


def test_a_full_disk_is_said_and_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from monitor.config import StoreConfig

    monkeypatch.setattr("monitor.durable.RETRY_S", 0.01)
    store = Store.open(StoreConfig(url=f"sqlite:///{tmp_path}/ledger.db"))
    lines, log = odd_stream(), tmp_path / "events.jsonl"
    log.write_bytes(b"\n".join(lines) + b"\n")
    worker = make(store, log)
    with store.ledger() as ledger:
        pages = ledger.execute(text("PRAGMA page_count")).scalar_one()
        ledger.execute(text(f"PRAGMA max_page_count = {pages + 2}"))
    retries = 0

    def wait(_timeout: float) -> bool:
        nonlocal retries
        retries += 1
        if retries == 3:  # somebody made room
            with store.ledger() as ledger:
                ledger.execute(text("PRAGMA max_page_count = 1073741823"))
        return False

    monkeypatch.setattr(worker._stop, "wait", wait)
    drain(worker)
    store.close()
    assert retries >= 3
    assert "database or disk is full" in caplog.text
    again = Store.open(StoreConfig(url=f"sqlite:///{tmp_path}/ledger.db"))
    assert sorted(stored(again)) == sorted(replayed(lines))
    again.close()


def test_a_trip_is_ordered_watched_and_found_silent(store: Store, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    rule = Rule("loops", mode="enforce", severity=Severity.MEDIUM, detectors=("loop",))
    response = Response([rule], Guards(), ["terminal"], ["registry"], quiet_s=3600.0)
    worker = make(store, log, response)
    number = 0

    def write(agent: str, **fields: object) -> None:
        nonlocal number
        number += 1
        with log.open("ab") as file:
            file.write(raw_event(number, time.time(), agent_id=agent, **fields) + b"\n")

    def trip() -> object:
        with store.read() as ledger:
            return ledger.execute(select(trips)).one_or_none()

    for _ in range(6):
        write("looper", trace_id="r", bytes_out=1)
    drain(worker, until=lambda: trip() is not None)
    drain(worker, until=lambda: "looper" in worker.watchtower.watches)
    write("looper", trace_id="s")
    write("looper", trace_id="t", status="denied")
    drain(worker)
    seen = trip()
    assert (seen.effective_count, seen.refused_count, seen.silent_at) == (1, 1, None)  # type: ignore[attr-defined]
    assert any(a == "containment" for a in _detectors(store)), "it is an alert, too"

    def silent() -> bool:
        write("bystander")
        time.sleep(0.05)
        return trip().silent_at is not None  # type: ignore[attr-defined]

    drain(worker, until=silent)
    assert trip().silent_at > trip().last_effective_at > trip().contained_at  # type: ignore[attr-defined]


def test_what_was_done_while_no_daemon_ran_counts_too(store: Store, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(raw_event(1, time.time(), agent_id="a") + b"\n")
    drain(make(store, log))
    with store.ledger() as ledger:
        trip = order_kill(
            ledger, agent_id="a", reason="r", ordered_by="os:a", automatic=False,
            now_s=time.time() - 5, points=(), receivers=(),
        )  # fmt: skip
    with log.open("ab") as file:
        file.write(raw_event(2, time.time(), agent_id="a") + b"\n")
    drain(make(store, log))
    with store.read() as ledger:
        seen = ledger.execute(select(trips)).one()
    assert (seen.trip_id, seen.effective_count) == (trip.trip_id, 1)


def _detectors(store: Store) -> list[str]:
    with store.read() as ledger:
        return list(ledger.execute(select(anomalies.c.detector)).scalars())


def test_idle_partitions_keep_their_place(store: Store, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(raw_event(1) + b"\n")
    drain(make(store, log))
    drain(make(store, log))
    with store.state() as state:
        assert state.execute(select(shards.c.next_offset)).scalar_one() == log.stat().st_size


@pytest.mark.parametrize("pulse", [{"silence": [0]}, {"silence": [[0, 0], [], [], []]}, []])
def test_a_damaged_pulse_of_a_shard_is_said_and_learned_anew(
    store: Store, tmp_path: Path, pulse: object, caplog: pytest.LogCaptureFixture
) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(raw_event(1) + b"\n")
    drain(make(store, log))
    with store.state() as state:
        doc = json.loads(state.execute(select(shards.c.doc)).scalar_one())
        state.execute(update(shards).values(doc=json.dumps(doc | {"shard": pulse})))
    again = make(store, log)
    drain(again)
    assert "the pulse of" in caplog.text
    assert again.owned[0].next_offset == log.stat().st_size
