"""A JSONL event log, followed as `tail -F` does.

Renamed away (logrotate's `create`): the old file is read to its end, then the new one. Cut off
(`copytruncate`): what was not read yet is looked for in the copy, then the file is read from its
start. Both work while the daemon is down too, as long as the old file is still there and not yet
compressed.
"""

import contextlib
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from monitor.config import state_dir
from monitor.config_source import SourceConfig
from monitor.sources import Changes, Chunk, Part, Place, SourceError, Whole
from monitor.sources.lines import READ_BYTES, Line, LineSplitter, end_of_last_line
from monitor.sources.rotation import HEAD_BYTES, FileMark, find, open_file, written_after

PARTITION: Final = 0
GENERATION_BYTES: Final = 2**44
"""Offset = generation * this + byte position: one growing number over all rotations.

A generation is one file, or one filling of a file that is cut off. 16 TiB a file and half a
million files fit into the store's 64 bits.
"""
MAX_POLL_LINES: Final = 2000
_STEP_S: Final = 0.02

log = logging.getLogger(__name__)


def log_path(config: SourceConfig) -> Path:
    """The event log of a `log` source: as configured, or `events.jsonl` in the state directory."""
    return (config.path or state_dir() / "events.jsonl").absolute()


class LogFileSource(Whole):
    """Implements `monitor.sources.Source` with one partition. The file need not exist yet.

    Parameters
    ----------
    path
        The log.
    start_at
        Where to begin when there is no place to go on from: `earliest` or `latest`.
    clock
        Gives the time at which a line was read, in seconds since the epoch.
    """

    def __init__(
        self, path: Path, start_at: str = "earliest", clock: Callable[[], float] = time.time
    ) -> None:
        self._path = path.absolute()
        self.name = str(self._path)
        self._start_at = start_at
        self._clock = clock
        self._fd: int | None = None
        self._mark: FileMark | None = None
        self._generation = 0
        self._line_at = 0  # where the first line begins that was not handed out
        self._read_at = 0
        self._splitter = LineSplitter()
        self._left_mtime_ns = -1  # of the file that was finished last
        self._notes: Mapping[str, Any] = {}
        self._assigned = [PARTITION]
        self._started = self._held = False

    def poll(self, timeout_s: float) -> list[Chunk]:
        """See `Source.poll`."""
        deadline = time.monotonic() + timeout_s
        while True:
            if self._started and not self._held:
                generation = self._generation
                with self._named_in_errors():
                    chunk = self._read()
                if chunk:
                    return [chunk]
                if self._generation != generation:
                    continue  # moved on to another file: no reason to wait
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return []
            time.sleep(min(left_s, _STEP_S))

    def take_changes(self) -> Changes:
        """See `Source.take_changes`: its one partition comes once, and never goes."""
        taken, self._assigned = self._assigned, []
        return Changes([], taken)

    def start(self, partition: int, place: Place | None) -> int:
        """See `Source.start`. A place without notes is from before the file was there."""
        del partition
        self._started = True
        with self._named_in_errors():
            if place is not None and place.notes:
                self._notes = dict(place.notes)
                self._generation, position = divmod(place.next_offset, GENERATION_BYTES)
                self._go_on(FileMark.from_notes(place.notes), position)
                return place.next_offset
            self._open(open_file(self._path))
            if self._fd is not None and self._mark is not None:
                if place is None and self._start_at == "latest":
                    self._go_to(end_of_last_line(self._fd))
                self._notes = self._mark.notes()
            return self._line_at

    def hold(self, held: bool) -> None:
        """See `Source.hold`."""
        self._held = held

    def notes(self, partition: int) -> Mapping[str, Any]:
        """Which file the last chunk's `next_offset` is about."""
        del partition
        return self._notes

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        """Nothing: nobody outside counts."""

    def end_offset(self, partition: int) -> int:
        """See `Source.end_offset`; a line without its newline is not there yet."""
        del partition
        with self._named_in_errors(), contextlib.ExitStack() as closing:
            newest = open_file(self._path)
            if newest is not None:
                closing.callback(os.close, newest)
            if self._fd is not None and (newest is None or _same_file(newest, self._fd)):
                return self._generation * GENERATION_BYTES + end_of_last_line(self._fd)
            generation = self._generation + len(self._newer()) + (self._fd is not None)
            end = end_of_last_line(newest) if newest is not None else 0
            return generation * GENERATION_BYTES + end

    def part(self, partition: int) -> Part:
        """See `Source.part`."""
        return Part(self.name, partition)

    def partitions_of(self, agent_id: str) -> Sequence[int]:
        """The one partition."""
        del agent_id
        return (PARTITION,)

    def exhausted(self) -> bool:
        """Never: a log can always grow."""
        return False

    def describe(self, partition: int, offset: int) -> str:
        """See `Source.describe`."""
        del partition
        generation, position = divmod(offset, GENERATION_BYTES)
        which = f", {generation} rotations after the first start" if generation else ""
        return f"{self._path} byte {position}{which}"

    def close(self) -> None:
        """Close the file."""
        self._leave()

    def _read(self) -> Chunk | None:
        """The next lines of one file; on its way it moves on from files that are finished."""
        if self._fd is None and not self._open_next():
            return None
        assert self._fd is not None
        if self._was_cut_off(self._fd) or self._has_grown_unread(self._fd):
            return None
        lines: list[tuple[bytes, int]] = []
        while len(lines) < MAX_POLL_LINES and (data := self._read_on(self._fd)):
            lines += self._splitter.feed(data)
        if not lines and self._is_finished(self._fd):
            # What was appended between our last read and the sight of the new file.
            while data := self._read_on(self._fd):
                lines += self._splitter.feed(data)
            lines += self._splitter.finish()
            chunk = self._chunk(lines)
            self._leave()
            return chunk
        return self._chunk(lines)

    def _read_on(self, fd: int) -> bytes:
        data = os.pread(fd, READ_BYTES, self._read_at)
        self._read_at += len(data)
        return data

    def _chunk(self, lines: list[tuple[bytes, int]]) -> Chunk | None:
        base = self._generation * GENERATION_BYTES
        now_ms = int(self._clock() * 1000)
        records = []
        for line, length in lines:
            if line.strip():
                records.append(Line(base + self._line_at, now_ms, line))
            self._line_at += length
        if not records:
            return None
        assert self._fd is not None
        self._mark = FileMark.of(self._fd)
        self._notes = self._mark.notes()
        return Chunk(PARTITION, records, base + self._line_at)

    def _is_finished(self, fd: int) -> bool:
        """Whether another file took this one's place, and its writer has gone over to it."""
        try:
            newest = self._path.stat()
        except FileNotFoundError:
            return False
        if os.path.samestat(newest, os.fstat(fd)):
            return False
        return newest.st_size > 0 or bool(self._newer())

    def _was_cut_off(self, fd: int) -> bool:
        """Go on behind a truncation, if there was one."""
        assert self._mark is not None
        if os.fstat(fd).st_size >= self._read_at and self._mark.same_head(fd):
            return False
        mark, position = self._mark, self._line_at
        self._leave()
        self._generation -= 1  # the copy, if there is one, is the same filling
        self._go_on(mark, position)
        return True

    def _has_grown_unread(self, fd: int) -> bool:
        """Choose anew when a file has grown of which no line was handed out yet.

        Its mark tells nothing so far, and the bytes that it stands for may have gone elsewhere.
        """
        assert self._mark is not None
        if self._line_at or self._mark.head_bytes >= min(HEAD_BYTES, os.fstat(fd).st_size):
            return False
        mark = self._mark
        self._leave()
        self._left_mtime_ns = mark.mtime_ns
        self._generation -= 1
        return True

    def _go_on(self, mark: FileMark, position: int) -> None:
        """Go on in the file that the mark is of, wherever it is now."""
        fd = find(self._path, mark, position)
        if fd is not None:
            self._open(fd)
            self._go_to(position)
            return
        log.error(
            "event log %s: the file that was read up to byte %d was cut off, deleted or compressed;"
            " what was written behind that byte, if anything, is lost",
            *(self._path, position),
        )
        self._left_mtime_ns = mark.mtime_ns
        self._generation += 1

    def _open_next(self) -> bool:
        """Open the oldest file that was not read yet."""
        newer = self._newer() if self._left_mtime_ns >= 0 else []
        self._open(open_file(newer[0] if newer else self._path))
        return self._fd is not None

    def _open(self, fd: int | None) -> None:
        if fd is not None and not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise SourceError(f"event log {self._path} is not a regular file; set source.path")
        self._fd = fd
        self._mark = FileMark.of(fd) if fd is not None else None
        self._go_to(0)

    def _go_to(self, position: int) -> None:
        self._line_at = self._read_at = position
        self._splitter = LineSplitter()

    def _leave(self) -> None:
        """Close the file; whatever is opened next is another generation."""
        if self._fd is not None:
            self._left_mtime_ns = os.fstat(self._fd).st_mtime_ns
            os.close(self._fd)
            self._fd = None
            self._generation += 1

    @contextlib.contextmanager
    def _named_in_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SourceError(
                f"event log {self._path}: {error.strerror}; "
                "let this user read it, or set source.path"
            ) from None

    def _newer(self) -> list[Path]:
        """Rotated files that were written after the one that is, or was last, read."""
        since_ns = self._left_mtime_ns if self._fd is None else os.fstat(self._fd).st_mtime_ns
        return written_after(self._path, since_ns)


def _same_file(one: int, other: int) -> bool:
    return os.path.samestat(os.fstat(one), os.fstat(other))
