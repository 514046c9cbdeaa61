"""For how long the worker's loop stands still at most: single turns, and collections of garbage.

One worker with SQLite and the action history. Each of many agents acts once, in a row; then a
checkpoint of all of them is made, while some go on. Milliseconds of the thread's CPU time, so that
neighbours do not count. Prints one JSON object.

    python -m tests.bench.turns --agents 100000
"""

import argparse
import gc
import json
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from monitor.config import Config, StoreConfig
from monitor.config_source import SourceConfig
from monitor.service import collect_rarely
from monitor.sources.log_file import LogFileSource
from monitor.store import Store
from monitor.worker import Worker
from tests.bench.subject import START_S, open_worker, record
from tests.kit.compiled import is_compiled

BUSY: Final = 300
"""So many agents go on while the checkpoint is made …"""
AT_ONCE: Final = 20
"""… with so many events before each turn."""


class Collections:
    """How long each collection of garbage took, in seconds."""

    def __init__(self) -> None:
        self.took_s: list[float] = []
        self._began_s = 0.0
        gc.callbacks.append(self._note)

    def _note(self, phase: str, _: object) -> None:
        if phase == "start":
            self._began_s = time.thread_time()
        else:
            self.took_s.append(time.thread_time() - self._began_s)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--agents", type=int, default=100_000)
    chosen = parser.parse_args()
    collect_rarely()
    with tempfile.TemporaryDirectory(prefix="tripswitch-bench-") as directory:
        print(json.dumps(measure(chosen.agents, Path(directory))))


def measure(agents: int, directory: Path) -> dict[str, Any]:
    """The longest turns and collections: while agents are new, and during the checkpoint."""
    log, url = directory / "events.jsonl", f"sqlite:///{directory}/ledger.db"
    log.write_bytes(b"".join(_line(agent, 0, START_S + agent / 100) for agent in range(agents)))
    # No checkpoint is due until one is made due.
    store_config = StoreConfig(url=url, checkpoint_interval_s=3600.0)
    settings = Config(source=SourceConfig(path=log), store=store_config)
    store = Store.open(settings.store)
    worker = open_worker(settings, LogFileSource(log), store, directory)
    worker.keeps_history = True
    worker.step()  # takes the log
    collections = Collections()
    while worker.step():
        pass
    new, collections.took_s = _worst_ms(collections.took_s), []
    before, turns, at_s = worker.counts.checkpoints, list[float](), START_S + agents / 100
    worker._next_checkpoint_s = 0.0
    with log.open("ab", buffering=0) as file:
        while worker.counts.checkpoints == before:
            first = len(turns) * AT_ONCE
            some = range(first, first + AT_ONCE)
            file.write(b"".join(_line(n % BUSY, 1 + n, at_s + n / 100) for n in some))
            turns.append(_turn_s(worker))
    store.close()
    return {
        "agents": agents,
        "compiled": is_compiled(),
        "new_agents": {"worst_collection_ms": new},
        "checkpoint": {
            "turns": len(turns),
            "worst_turn_ms": _worst_ms(turns),
            "worst_collection_ms": _worst_ms(collections.took_s),
        },
    }


def _line(agent: int, number: int, at_s: float) -> bytes:
    return record(f"agent-{agent:07}", number, at_s, f"run-{agent}", agent + number)


def _turn_s(worker: Worker) -> float:
    began_s = time.thread_time()
    worker.step()
    return time.thread_time() - began_s


def _worst_ms(seconds: list[float]) -> float:
    return round(1000 * max(seconds, default=0.0), 1)


if __name__ == "__main__":
    main()
