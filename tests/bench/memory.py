"""How much memory an agent takes: bytes of resident set per agent, at growing numbers of agents.

- `idle`: seen five times, more than ten minutes ago.
- `resting`: 20 targets, 6 tools, 200 runs in a month, all baselines; it is as long ago.
- `active`: the same, and has just acted; of more than `store.max_active_agents` the others rest.

Each figure is the growth of a process of its own, through a real shard with the default settings.
More agents than `store.max_resident_agents` act once each, through a worker with its SQLite store,
which has those that leave memory; some come back in the end.
Prints one JSON object.

    make bench-memory ARGS="--sizes 1000 10000"
"""

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import ormsgpack
import psutil  # type: ignore[import-untyped]

from baselines.event import ActionEvent
from baselines.profile import Profile
from detectors.shard import Shard
from monitor import policies
from monitor.config import Config, StoreConfig
from monitor.config_source import SourceConfig
from monitor.service import collect_rarely
from monitor.sources.log_file import LogFileSource
from monitor.store import Store
from tests.bench.subject import START_S, open_worker, record

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
KINDS: Final = ("idle", "resting", "active")
RESIDENT: Final = Config().store.max_resident_agents
RUNS: Final = 200
COME_BACK: Final = 10_000
_RUN_EVERY_S: Final = 4 * 3600.0
_APART_S: Final = 10.0
"""Agents that rest turn up one after another: few are awake at a time."""


def main() -> None:
    """Measure each size in a process of its own, or one of them in this."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--kinds", choices=KINDS, nargs="+", default=KINDS)
    parser.add_argument("--one", nargs=2, metavar=("KIND", "AGENTS"))
    chosen = parser.parse_args()
    if chosen.one:
        kind, agents = chosen.one[0], int(chosen.one[1])
        collect_rarely()
        stored = agents > RESIDENT
        print(json.dumps(known(agents) if stored else in_memory(kind, agents)))
        return
    found: dict[str, dict[str, Any]] = {kind: {} for kind in chosen.kinds}
    for size in chosen.sizes:
        for kind in chosen.kinds if size <= RESIDENT else ["idle"]:
            command = [sys.executable, "-m", "tests.bench.memory", "--one", kind, str(size)]
            began = time.monotonic()
            ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            one = json.loads(ended.stdout) | {"seconds": round(time.monotonic() - began)}
            print(f"{kind} {size}: {one}", file=sys.stderr)
            found[kind][str(size)] = one
    per_agent = {k: {n: one["bytes"] for n, one in by.items()} for k, by in found.items()}
    print(json.dumps({"bytes_per_agent": per_agent, "measured": found}))


def in_memory(kind: str, agents: int) -> dict[str, Any]:
    """All agents in one shard without a store."""
    shard = Shard("bench", 0, policies.detection(Config()))
    end_s = _work(shard, "agent-0000000")
    body = ormsgpack.packb(shard.profiles["agent-0000000"].dump())
    before = _resident_bytes()
    for number in range(1, agents + 1):
        agent_id = f"agent-{number:07}"
        at_s = end_s + (60.0 if kind == "active" else number * _APART_S)
        if kind == "idle":
            for n in range(5):
                _feed(shard, agent_id, n, at_s + n * 7.0, "run", n)
        else:
            one = body.replace(b"agent-0000000", agent_id.encode())
            shard.admit([Profile.load(ormsgpack.unpackb(one), shard.policy.rules)])
            _feed(shard, agent_id, RUNS * 8, at_s, "run-next", 0)
        shard.dirty.clear()  # a checkpoint comes every few seconds: who comes to rest is saved
    total, awake = _resident_bytes(), shard.profiles.awake
    return {"bytes": round((total - before) / agents), "rss_mb": total >> 20, "unpacked": awake}


def known(agents: int) -> dict[str, Any]:
    """A worker with its store; the first agents act again in the end."""
    with tempfile.TemporaryDirectory(prefix="tripswitch-bench-") as directory:
        log, url = Path(directory) / "events.jsonl", f"sqlite:///{directory}/ledger.db"
        with log.open("wb") as file:
            for number in range(agents):
                file.write(record(f"agent-{number:07}", 0, START_S + number / 100, "run", 0))
            for number in range(COME_BACK):
                file.write(record(f"agent-{number:07}", 1, START_S + agents / 100, "run", 1))
        settings = Config(source=SourceConfig(path=log), store=StoreConfig(url=url))
        store = Store.open(settings.store)
        worker = open_worker(settings, LogFileSource(log), store, Path(directory))
        before, most, began = _resident_bytes(), 0, time.monotonic()
        worker.step()  # takes the log
        while worker.step():
            most = max(most, psutil.Process().memory_info().rss)
        worker.checkpoint()
        seconds = time.monotonic() - began
        (owned,) = worker.owned.values()
        grown, profiles = _resident_bytes() - before, owned.shard.profiles
        back = [profiles.peek(f"agent-{number:07}").events for number in range(COME_BACK)]
        store.close()
        on_disk = sum(path.stat().st_size for path in Path(directory).glob("*.db*"))
    assert back == [2] * COME_BACK, "each came back with its past"
    return {
        "bytes": round(grown / agents),
        "rss_mb": most >> 20,
        "unpacked": profiles.awake,
        "in_memory": len(profiles),
        "bytes_in_store": round(on_disk / agents),
        "came_back": COME_BACK,
        "events_per_s": round(worker.counts.events / seconds),
    }


def _work(shard: Shard, agent_id: str) -> float:
    """A month of runs of 8 steps, on 20 targets with 6 tools; returns when the last began."""
    for run in range(RUNS):
        at_s = START_S + run * _RUN_EVERY_S
        for n in range(8):
            _feed(shard, agent_id, run * 8 + n, at_s + n * 7.0, f"run-{run:08}", run * 3 + n)
    return at_s


def _feed(shard: Shard, agent_id: str, number: int, at_s: float, run: str, what: int) -> None:
    raw = record(agent_id, number, at_s, run, what)
    shard.feed(ActionEvent.parse(raw), raw, number)


def _resident_bytes() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    main()
