"""An agent that left memory is missed all the same, whatever crashes on the way."""

import random
from pathlib import Path

import pytest
from sqlalchemy import select

from monitor.store import Store
from monitor.store.schema import anomalies, profiles
from monitor.timing import Timing
from tests.kit.events import START_S, raw_event
from tests.unit.monitor.test_worker import drain, make, replayed, stored

HOURS = 24 * 8
STOPPED = 24 * 7


def stream() -> list[bytes]:
    """Three agents that act each half hour; one of them stops after a week."""
    lines = []
    for number in range(2 * HOURS):
        for agent in range(3):
            if agent == 0 and number >= 2 * STOPPED:
                continue
            time_s = START_S + number * 1800 + agent
            lines.append(raw_event(number * 3 + agent, time_s, agent_id=f"agent-{agent}"))
    return lines


@pytest.mark.parametrize("seed", range(2))
def test_the_silent_agent_is_found_as_a_replay_finds_it(
    store: Store, tmp_path: Path, seed: int
) -> None:
    rng, lines, log = random.Random(seed), stream(), tmp_path / "events.jsonl"
    written = 0
    while written < len(lines):
        some = rng.randrange(50, 300)
        with log.open("ab") as file:
            file.write(b"".join(line + b"\n" for line in lines[written : written + some]))
        written += some
        worker = make(store, log, checkpoint_s=rng.choice([0.0, 3600.0]))
        worker.timing = Timing(0.01, worker.timing.checkpoint_s, max_resident_agents=1)
        drain(worker)
    drain(make(store, log))
    assert sorted(stored(store)) == sorted(replayed(lines))
    with store.read() as ledger:
        found = ledger.execute(select(anomalies.c.agent_id, anomalies.c.detector)).all()
    assert [tuple(row) for row in found] == [("agent-0", "silence")]
    with store.state() as state:
        due = dict(map(tuple, state.execute(select(profiles.c.agent_id, profiles.c.due))))
    assert due["agent-0"] is None, "missed once"
    assert due["agent-1"] is not None
