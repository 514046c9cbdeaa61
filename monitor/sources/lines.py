"""Lines out of a byte stream, however long they are."""

import os
from typing import Final, NamedTuple

from baselines.event import MAX_MESSAGE_BYTES

READ_BYTES: Final = 256 * 1024
MAX_KEPT_BYTES: Final = MAX_MESSAGE_BYTES + 1
"""So much of a longer line is kept: enough for the event's own check to refuse it."""


class Line(NamedTuple):
    """One line as a `monitor.sources.Record`."""

    offset: int
    timestamp: int
    value: bytes


class LineSplitter:
    """Cuts what it is fed into lines; memory stays bounded when no newline ever comes."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._length = 0

    def feed(self, data: bytes) -> list[tuple[bytes, int]]:
        """Every line that `data` finishes: its bytes, at most `MAX_KEPT_BYTES`, and its length.

        The length is that in the stream, with the newline.
        """
        *ends, rest = data.split(b"\n")
        lines = []
        for end in ends:
            self._add(end)
            lines.append((bytes(self._kept), self._length + 1))
            self._kept.clear()
            self._length = 0
        self._add(rest)
        return lines

    def finish(self) -> list[tuple[bytes, int]]:
        """The last line of a stream that has ended, if it had no newline."""
        line, length = bytes(self._kept), self._length
        self._kept.clear()
        self._length = 0
        return [(line, length)] if length else []

    def _add(self, data: bytes) -> None:
        self._length += len(data)
        self._kept += data[: MAX_KEPT_BYTES - len(self._kept)]


def end_of_last_line(fd: int) -> int:
    """The position after a file's last newline; 0 if it has none."""
    end = os.fstat(fd).st_size
    while end > 0:
        begin = max(0, end - READ_BYTES)
        found = os.pread(fd, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0
