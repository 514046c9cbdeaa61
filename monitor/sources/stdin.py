"""Standard input: one event a line, until it ends."""

import logging
import os
import select
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from monitor.sources import Changes, Chunk, Part, Place, SourceError, Whole
from monitor.sources.lines import READ_BYTES, Line, LineSplitter

PARTITION: Final = 0

log = logging.getLogger(__name__)


class StdinSource(Whole):
    """Implements `monitor.sources.Source`: one partition, whose offsets are line numbers from 0.

    Standard input cannot be read again, so `start` cannot go back to a place. It only goes on
    counting from there, because offsets must never run backwards.

    Parameters
    ----------
    fd
        What to read.
    clock
        Gives the time at which a line was read, in seconds since the epoch.
    """

    name = "stdin"

    def __init__(self, fd: int | None = None, clock: Callable[[], float] = time.time) -> None:
        self._fd = sys.stdin.fileno() if fd is None else fd
        self._clock = clock
        self._ready = select.poll()  # unlike epoll it takes a redirected file too
        self._ready.register(self._fd, select.POLLIN)
        self._splitter = LineSplitter()
        self._first = self._next = 0
        self._assigned = [PARTITION]
        self._started = self._held = self._ended = False

    def poll(self, timeout_s: float) -> list[Chunk]:
        """See `Source.poll`."""
        if not self._started or self._held or self._ended:
            time.sleep(timeout_s)
            return []
        deadline = time.monotonic() + timeout_s
        records: list[Line] = []
        while not records and not self._ended:
            left_s = max(0.0, deadline - time.monotonic())
            if not self._ready.poll(left_s * 1000):
                return []
            records = self._read()
        return [Chunk(PARTITION, records, self._next)] if records else []

    def take_changes(self) -> Changes:
        """See `Source.take_changes`: its one partition comes once, and never goes."""
        taken, self._assigned = self._assigned, []
        return Changes([], taken)

    def start(self, partition: int, place: Place | None) -> int:
        """Begin with the next line that comes, numbered from `place` on."""
        del partition
        if place is not None:
            self._first = self._next = place.next_offset
            log.info("standard input cannot be read again; its lines count on from the last run's")
        self._started = True
        return self._next

    def hold(self, held: bool) -> None:
        """See `Source.hold`; the writer waits once the pipe is full."""
        self._held = held

    def notes(self, partition: int) -> Mapping[str, Any]:
        """Nothing: there is nowhere to go back to."""
        del partition
        return {}

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        """Nothing: nobody outside counts."""

    def end_offset(self, partition: int) -> int:
        """The number of the next line that is read; what waits in the pipe is unknown."""
        del partition
        return self._next

    def part(self, partition: int) -> Part:
        """See `Source.part`."""
        return Part(self.name, partition)

    def partitions_of(self, agent_id: str) -> Sequence[int]:
        """The one partition."""
        del agent_id
        return (PARTITION,)

    def exhausted(self) -> bool:
        """Whether the input has ended and every line was handed out."""
        return self._ended

    def describe(self, partition: int, offset: int) -> str:
        """See `Source.describe`."""
        del partition
        return f"line {offset - self._first + 1} of standard input"

    def close(self) -> None:
        """Nothing: the descriptor belongs to whoever started us."""

    def _read(self) -> list[Line]:
        try:
            data = os.read(self._fd, READ_BYTES)
        except OSError as error:
            raise SourceError(f"standard input: {error.strerror}") from None
        self._ended = not data
        lines = self._splitter.feed(data) if data else self._splitter.finish()
        now_ms = int(self._clock() * 1000)
        records = []
        for line, _ in lines:
            if line.strip():
                records.append(Line(self._next, now_ms, line))
            self._next += 1
        return records
