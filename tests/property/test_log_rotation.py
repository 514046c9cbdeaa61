"""Whatever is done to a log: every line that stays somewhere on the disk is read exactly once."""

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from monitor.sources import Place
from monitor.sources.log_file import LogFileSource


class RotatedLog(RuleBasedStateMachine):
    """A writer, a rotation and a reader, each at any moment.

    The writer holds its file open, writes its lines in pieces, and opens the path anew only
    between two lines, after a rotation told it to.
    """

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.path = self.directory / "events.jsonl"
        self.writing = self.path.open("ab", buffering=0)
        self.now_s = self.rotations = self.number = 0
        self.line = ""
        self.rest = b""  # of the line that is being written
        self.broken = False  # a truncation took the beginning of that line
        self.in_file: list[str] = []  # whole lines of the file being written
        self.expected: list[str] = []
        self.may_be_lost: set[str] = set()
        self.read: list[str] = []
        self.place: Place | None = None
        self.source = self.started()
        # The promise holds from the first place on; before it there is nothing to go on from.
        self.write(1000)
        self.poll()

    def started(self) -> LogFileSource:
        source = LogFileSource(self.path)
        source.start(0, self.place)
        return source

    def stamp(self, file: int | Path) -> None:
        """A later mtime than any before: real rotations lie further apart than a clock's tick."""
        self.now_s += 1
        os.utime(file, ns=(0, self.now_s * 1_000_000_000))

    @rule(count=st.integers(1, 400))
    def write(self, count: int) -> None:
        """Up to `count` bytes, but not past the end of a line."""
        if not self.rest:
            self.number += 1
            self.line = f'{{"n": {self.number}, "pad": "{"x" * (self.number * 37 % 300)}"}}'
            self.rest = self.line.encode() + b"\n"
        piece, self.rest = self.rest[:count], self.rest[count:]
        self.writing.write(piece)
        self.stamp(self.writing.fileno())
        if not self.rest:
            if not self.broken:
                self.in_file.append(self.line)
                self.expected.append(self.line)
            self.broken = False

    @rule(lines=st.integers(1, 30))
    def write_lines(self, lines: int) -> None:
        for _ in range(lines):
            self.write(1000)

    @rule(create=st.booleans())
    def rename(self, create: bool) -> None:
        if self.path.exists():
            self.rotations += 1
            self.path.rename(self.directory / f"events.jsonl.{self.rotations}")
            if create:
                self.path.touch()
                self.stamp(self.path)

    @rule()
    def reopen(self) -> None:
        if self.rest:
            self.write(1000)
        old = os.fstat(self.writing.fileno())
        self.writing.close()
        self.writing = self.path.open("ab", buffering=0)
        if not os.path.samestat(old, os.fstat(self.writing.fileno())):
            self.in_file = []
            self.stamp(self.writing.fileno())

    def writes_to_path(self) -> bool:
        return self.path.exists() and self.path.samefile(f"/proc/self/fd/{self.writing.fileno()}")

    @precondition(writes_to_path)
    @rule(copy=st.booleans())
    def truncate(self, copy: bool) -> None:
        if copy:
            self.rotations += 1
            kept = self.directory / f"events.jsonl.{self.rotations}"
            shutil.copyfile(self.path, kept)
            self.stamp(kept)
        else:
            self.may_be_lost.update(self.in_file)
        self.writing.truncate(0)
        self.stamp(self.path)
        self.in_file = []
        self.broken = bool(self.rest)

    @rule()
    def poll(self) -> None:
        empty = 0
        while empty < 2:  # the first may have found the log cut off
            chunks = self.source.poll(0)
            empty = 0 if chunks else empty + 1
            for chunk in chunks:
                self.read += [(record.value or b"").decode() for record in chunk.records]
                assert self.place is None or chunk.next_offset > self.place.next_offset
                self.place = Place(chunk.next_offset, dict(self.source.notes(0)))

    @rule()
    def restart(self) -> None:
        self.source.close()
        self.source = self.started()

    def teardown(self) -> None:
        try:
            self.reopen()
            self.write(1000)  # the reader moves on once the new file has something
            self.poll()
            counts = Counter(self.read)
            assert [line for line in self.expected if counts[line] > 1] == []
            missing = [line for line in self.expected if not counts[line]]
            assert [line for line in missing if line not in self.may_be_lost] == []
        finally:
            self.source.close()
            self.writing.close()
            shutil.rmtree(self.directory)


TestRotatedLog = RotatedLog.TestCase
TestRotatedLog.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
