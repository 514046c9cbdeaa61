"""Which file is which, when a log is rotated under its reader."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

HEAD_BYTES: Final = 256
"""A file is known again by the digest of so many first bytes: inode numbers are given out anew."""
REJECTED: Final = ".rejected"
"""Follows the log's name in that of its dead letters, rotated or not: `a.rejected.jsonl`."""


class FileMark(NamedTuple):
    """What a file is known by after a restart. `mtime_ns` tells which others were written later."""

    inode: int
    device: int
    head: str
    head_bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, fd: int) -> Self:
        """The mark of an open file."""
        status = os.fstat(fd)
        digest, count = _head(fd, HEAD_BYTES)
        return cls(status.st_ino, status.st_dev, digest, count, status.st_mtime_ns)

    @classmethod
    def from_notes(cls, notes: Mapping[str, Any]) -> Self:
        """Read back what `notes` gave."""
        return cls(**{name: notes[name] for name in cls._fields})

    def notes(self) -> dict[str, Any]:
        """Plain JSON for a checkpoint."""
        return self._asdict()

    def same_head(self, fd: int) -> bool:
        """Whether an open file still begins, or begins too, with the bytes that this mark is of."""
        return _head(fd, self.head_bytes) == (self.head, self.head_bytes)


def find(path: Path, mark: FileMark, at_least_bytes: int) -> int | None:
    """Open the file that a mark is of: the log itself, or what it was renamed or copied to.

    Parameters
    ----------
    path
        The log; files beside it that are named after it are looked at too.
    at_least_bytes
        How much of it was read; a shorter file was cut off and is not it any more. If nothing
        was, a copy could not be told from any other file: they all begin alike.

    Returns
    -------
    int or None
        A descriptor, or None if it is gone.
    """
    candidates = sorted([path, *rotated(path)], key=lambda file: not _has_inode(file, mark.inode))
    for candidate in candidates:  # the file itself before a copy of it
        fd = open_file(candidate)
        if fd is None:
            continue
        status = os.fstat(fd)
        known = at_least_bytes > 0 or (status.st_ino, status.st_dev) == (mark.inode, mark.device)
        if known and status.st_size >= at_least_bytes and mark.same_head(fd):
            return fd
        os.close(fd)
    return None


def written_after(path: Path, mtime_ns: int) -> list[Path]:
    """The rotated files, not empty, that were last written after this time, the oldest first."""
    dated = []
    for candidate in rotated(path):
        try:
            status = candidate.stat()
        except FileNotFoundError:
            continue
        if status.st_mtime_ns > mtime_ns and status.st_size:
            dated.append((status.st_mtime_ns, candidate))
    return [candidate for _, candidate in sorted(dated)]


def rotated(path: Path) -> Iterator[Path]:
    """Files beside a log that a rotation may have made of it: `a.jsonl.1`, `a-20260801.jsonl`."""
    for entry in os.scandir(path.parent) if path.parent.is_dir() else ():
        name = entry.name
        dated = name.startswith((f"{path.stem}-", f"{path.stem}.")) and name.endswith(path.suffix)
        if (
            name != path.name
            and (name.startswith((f"{path.name}.", f"{path.name}-")) or dated)
            and REJECTED not in name.removeprefix(path.stem)
            and not name.endswith((".gz", ".bz2", ".xz", ".zst"))
            and entry.is_file()
        ):
            yield Path(entry.path)


def open_file(path: Path) -> int | None:
    """Open a regular file for reading; None if there is none."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe must not block us
    except FileNotFoundError:
        return None


def _head(fd: int, count: int) -> tuple[str, int]:
    head = os.pread(fd, count, 0)
    return hashlib.sha256(head).hexdigest(), len(head)


def _has_inode(path: Path, inode: int) -> bool:
    try:
        return path.stat().st_ino == inode
    except FileNotFoundError:
        return False
