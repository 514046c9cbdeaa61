"""The real daemon, which notes when its worker committed to the ledger, made checkpoints, and how
long its longer turns took.

    python -m tests.bench.figures.trip_daemon CONFIG NOTES

SIGUSR1 makes a checkpoint due.
"""

import json
import signal
import sys
import time
from math import inf
from pathlib import Path
from typing import Any, Final

from monitor import log
from monitor.config import load
from monitor.service import build
from monitor.worker import Worker

EVERY: Final = 10_000
"""It is noted each time that so many events were read."""
_LONG_S: Final = 0.01
"""Turns of the worker that took so much of its CPU time are noted."""


def run(settings: Path, notes: Path) -> None:
    """`tripswitch run`, which notes when its worker committed, read and made checkpoints."""
    log.set_up(verbose=False)
    service = build(load(settings), sys.stderr)
    worker, file = service.worker, notes.open("a", buffering=1)

    def note(**what: Any) -> None:
        file.write(json.dumps(what) + "\n")

    wake, begin, step = worker.on_ledger, Worker.checkpoint, Worker.step
    end, began = Worker._finish_saving, list[float]()

    def on_ledger() -> None:
        note(committed=time.time())
        wake()

    def noted_begin(self: Worker, at_once: float = inf) -> None:
        began.append(time.time())
        begin(self, at_once)

    def noted_end(self: Worker) -> None:
        end(self)
        note(checkpoint=(began[-1], time.time()))

    def noted_step(self: Worker) -> bool:
        before = self.counts.events
        began_s, used_s = time.time(), time.thread_time()
        read = step(self)
        took_s, used_s = time.time() - began_s, time.thread_time() - used_s
        if used_s > _LONG_S:
            note(turn=(began_s, took_s, used_s))
        if self.counts.events // EVERY > before // EVERY:
            note(events=self.counts.events)
        return read

    def due(*_: Any) -> None:
        worker._next_checkpoint_s = 0.0

    worker.on_ledger = on_ledger
    Worker.checkpoint = noted_begin  # type: ignore[method-assign]
    Worker._finish_saving = noted_end  # type: ignore[method-assign]
    Worker.step = noted_step  # type: ignore[method-assign]
    signal.signal(signal.SIGUSR1, due)
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    print("ready", flush=True)
    service.run()


def read(notes: Path) -> dict[str, list[Any]]:
    """What was noted by now.

    `committed` and `checkpoint` in seconds since the epoch, `events`, and of each long `turn` when
    it began, and how long it took by the clock and of CPU time, in seconds.
    """
    found: dict[str, list[Any]] = {"committed": [], "checkpoint": [], "events": [], "turn": []}
    for line in notes.read_text().splitlines(keepends=True) if notes.exists() else ():
        if not line.endswith("\n"):
            break  # it is being written
        for what, value in json.loads(line).items():
            found[what].append(value)
    return found


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]))
