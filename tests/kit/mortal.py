"""A process that is killed with SIGKILL again and again, and started anew.

It is forked from a server that has everything imported, so that one can be killed every second.
"""

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

from tests.kit.daemon import PATIENCE_S

Begun = Callable[[], None]
"""To be called by a process that has begun its work."""

Part = Callable[[str, Begun], None]
"""What a process does, from a seed; it never ends by itself. It is pickled."""

_FORK: Final = get_context("forkserver")
_FORK.set_forkserver_preload(["tests.kit.chaos", "monitor.webhooks"])


@dataclass
class Mortal:
    """One that is killed at random moments.

    Parameters
    ----------
    name
        Its seed, too.
    life_s
        How long it lives, at least and at most, from when it has begun its work; one in eight is
        killed while it still starts.
    log
        What it writes to stderr is added to this file.
    """

    part: Part
    name: str
    life_s: tuple[float, float]
    log: Path
    lives: int = 0
    _process: BaseProcess | None = None
    _begun: Connection | None = None
    _dies_at_s: float | None = None
    _spared: bool = False

    def __post_init__(self) -> None:
        self._chance = random.Random(self.name)

    def look(self) -> None:
        """Kill it if its time has come, and see to it that it runs."""
        if self._process is None or self._begun is None:
            self._start()
            return
        if not self._process.is_alive():
            said = self.log.read_text()[-3000:]
            raise AssertionError(f"{self.name} ended by itself, {self._process.exitcode}:\n{said}")
        if self._dies_at_s is None and self._begun.poll():
            self._dies_at_s = time.monotonic() + self._chance.uniform(*self.life_s)
        is_over = self._dies_at_s is not None and time.monotonic() >= self._dies_at_s
        if is_over and not self._spared:
            self.kill()
            self._start()

    def _start(self) -> None:
        self.lives += 1
        self._begun, begun = _FORK.Pipe(duplex=False)
        arguments = (self.part, f"{self.name}/{self.lives}", self.log, begun)
        self._process = _FORK.Process(target=_live, args=arguments, daemon=True)
        self._process.start()
        begun.close()
        dies_early = self._chance.random() < 1 / 8
        self._dies_at_s = time.monotonic() + self._chance.random() if dies_early else None

    def spare(self) -> None:
        """Let it live from now on."""
        self._spared = True

    def kill(self) -> None:
        """End it, wherever it is."""
        if self._process is not None:
            self._process.kill()
            self._process.join(PATIENCE_S)
            self._process = None
        if self._begun is not None:
            self._begun.close()
            self._begun = None


def _live(part: Part, seed: str, log: Path, begun: Connection) -> None:
    threading.Thread(target=_die_with, args=(parent_process(),), daemon=True).start()
    with log.open("ab") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    part(seed, lambda: begun.send_bytes(b"begun"))


def _die_with(parent: BaseProcess | None) -> None:
    """Leave nothing behind where the test itself was killed."""
    if parent is not None:
        parent.join()
    os.kill(os.getpid(), signal.SIGKILL)
