"""Probation: a restored agent's limits are tighter for a time, at a place of the log."""

from contextlib import closing
from pathlib import Path

import pytest

from baselines.effect import EffectMap
from baselines.event import ActionEvent
from baselines.profile import Profile
from detectors.budget import Budget
from detectors.policy import Policy
from detectors.shard import Shard
from monitor.config import StoreConfig
from monitor.ledger import audit, probation, trips
from monitor.store import Store, inventory
from monitor.worker import Worker
from tests.kit.events import START_S, event
from tests.kit.stream import odd_stream
from tests.unit.monitor.test_directives import NEVER_S, dumped, offsets, write
from tests.unit.monitor.test_worker import drain, make

LINES = odd_stream(900, agents=3)
AGENT = "agent-1"
FOREVER_S = 4e9
STREAM = [line for line in odd_stream(4000, agents=2) if b'"no"' not in line]


def restored(store: Store, probation_s: float = FOREVER_S) -> None:
    """Cut the agent off and give it back."""
    with store.ledger() as ledger:
        trips.order_kill(
            ledger, agent_id=AGENT, reason="r", ordered_by="os:a", automatic=False, now_s=START_S,
            points=(), receivers=(),
        )  # fmt: skip
    with store.ledger() as ledger:
        trips.order_restore(
            ledger, agent_id=AGENT, reason="fixed", ordered_by="os:b", now_s=START_S + 1,
            probation_s=probation_s, receivers=(),
        )  # fmt: skip


def teach(store: Store, now_s: float = START_S + 2) -> int:
    with store.read_state() as state:
        seen = inventory.sightings(state, [AGENT])
    places = {agent: [(s.source, s.partition) for s in of] for agent, of in seen.items()}
    with store.ledger() as ledger:
        return probation.teach(ledger, places, now_s)


def profile_of(worker: Worker) -> Profile:
    (owned,) = worker.owned.values()
    return owned.shard.profiles[AGENT]


def test_a_restored_agent_is_put_on_probation_once(store: Store, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    worker = make(store, log)
    write(log, LINES[:600])
    assert teach(store) == 0
    restored(store)
    assert teach(store) == 0, "it has no profile yet"
    drain(worker)
    assert (teach(store), teach(store)) == (1, 0)
    drain(worker, until=lambda: None not in offsets(store))
    assert profile_of(worker).probation_until_s == START_S + 1 + FOREVER_S
    with store.read() as ledger:
        (entry,) = (e for e in audit.entries(ledger, 9) if e["action"] == "directive probation")
    assert (entry["doc"]["by"], entry["doc"]["reason"]) == ("os:b", "fixed")


def test_a_probation_that_is_over_is_not_taught(store: Store, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    worker = make(store, log)
    write(log, LINES[:60])
    drain(worker)
    restored(store, probation_s=10)
    assert teach(store, START_S + 11) == 0
    assert teach(store, START_S + 10) == 1


@pytest.mark.parametrize("cut", [600, 601, 700, 899])
def test_wherever_the_worker_crashes_it_is_on_probation_from_the_same_place(
    tmp_path: Path, cut: int
) -> None:
    """The same profiles come out as from a worker that never crashed."""
    assert crashing(tmp_path / "b", cut) == crashing(tmp_path / "a", None)


def crashing(directory: Path, cut: int | None) -> list[object]:
    """Two thirds, a restore, the rest; the process is gone without a word at the cut."""
    directory.mkdir()
    store, log = Store.open(StoreConfig(url=f"sqlite:///{directory}/l.db")), directory / "e.jsonl"
    with closing(store):
        worker = make(store, log)
        write(log, LINES[:600])
        drain(worker)
        restored(store)
        teach(store)
        drain(worker, until=lambda: None not in offsets(store))
        if cut is not None:
            write(log, LINES[600:cut])
            worker = make(store, log, checkpoint_s=NEVER_S)
            drain(worker)
            worker = make(store, log)
        write(log, LINES[cut or 600 :])
        drain(worker)
        assert profile_of(worker).probation_until_s > START_S
        return dumped(worker)


def test_more_alarms_on_probation_and_only_then() -> None:
    policy = Policy.of(Budget(1.0), probation_factor=10.0)
    profile = Profile("a", policy.rules)
    usual = profile.rules.alpha("run", 1000)
    assert profile.alarming(usual, START_S) == usual
    loose = profile.hours.allowed(0)[0]
    profile.put_on_probation(START_S + 3600)
    assert profile.alarming(usual, START_S + 3599) == pytest.approx(10 * usual)
    assert profile.alarming(usual, START_S + 3600) == usual
    assert profile.hours.allowed(0)[0] == pytest.approx(loose - 2.302585, abs=1e-6)
    again = Profile.load(profile.dump(), policy.rules)
    assert again.hours.allowed(0) == profile.hours.allowed(0)
    for one in (profile, again):
        one.observe(event(1, START_S + 1, agent_id="a"), EffectMap())
        assert one.hours.allowed(0)[0] < loose
        one.observe(event(2, START_S + 3600, agent_id="a"), EffectMap())
        assert one.hours.allowed(0)[0] == loose
        assert one.probation_until_s == 0.0


def test_on_probation_more_of_the_same_stream_alarms() -> None:
    policy = Policy.of(Budget(1.0), probation_factor=50.0)
    found: dict[bool, set[str]] = {}
    for strict in (False, True):
        shard = Shard("log", 0, policy)
        found[strict] = set()
        for number, line in enumerate(STREAM):
            seen = ActionEvent.parse(line)
            if strict and number == 2000:
                for profile in shard.profiles.values():
                    profile.put_on_probation(FOREVER_S)
            found[strict] |= {anomaly.anomaly_id for anomaly in shard.feed(seen, line, number)}
    assert len(found[False]) < len(found[True])
