"""The break-glass journal: what was ordered while the store could not be reached.

A local file of JSON lines, each with the hash of the one before, that `tripswitch audit import`
takes into the store's audit. A line is on the disk before what it tells of is done.
"""

import json
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

from monitor.audit_journal import hash_of
from monitor.config import state_dir
from monitor.ledger.audit_chain import GENESIS
from monitor.store.sql import storable

FILE_NAME: Final = "break-glass.jsonl"
LOCK_S: Final = 2.0
_LEAD_S: Final = 86_400.0
"""No clock that the ledger's orders are numbered by is ahead of ours by so much."""


def default_path() -> Path:
    """Where this user's journal is."""
    return state_dir() / FILE_NAME


class Journal:
    """Appends to a journal, which is made with mode 0600.

    Parameters
    ----------
    path
        Of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(
        self,
        *,
        actor: str,
        action: str,
        agent_id: str,
        reason: str,
        points: Sequence[Mapping[str, str | None]] = (),
        order_seq: int | None = None,
    ) -> dict[str, Any]:
        """Write one line, and return it once it is on the disk.

        Parameters
        ----------
        points
            `point`, `state` and `error` of each.
        order_seq
            Of what is told; None: a new one, above all that the ledger ever counted to and all
            that this journal has, from the clock in milliseconds.

        Raises
        ------
        OSError
            If it cannot be written, or is held by another process for too long.
        ValueError
            If the last line is no line of a journal.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(f"{self.path}.lock", timeout=LOCK_S, mode=0o600):
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "r+b") as file:
                lines = file.read().splitlines(keepends=True)
                # What was torn off was never acted on: that waits for the whole line.
                whole = [line for line in lines if line.endswith(b"\n")]
                file.seek(sum(map(len, whole)))
                file.truncate()
                prev_hash, before_seq = _followed(whole[-1]) if whole else (GENESIS, 0)
                if order_seq is None:
                    order_seq = max(clock_seq(), before_seq + 1)
                entry: dict[str, Any] = {
                    "journal_id": uuid.uuid4().hex,
                    "at": time.time(),
                    "actor": storable(actor),
                    "action": action,
                    "agent_id": agent_id,
                    "reason": storable(reason),
                    "points": [dict(point) for point in points],
                    "order_seq": order_seq,
                    "prev_hash": prev_hash,
                }
                entry["hash"] = hash_of(entry)
                file.write(json.dumps(entry).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        _sync_directory(self.path.parent)
        return entry


def clock_seq() -> int:
    """An order's number where nobody can ask for the last: the clock's, and ahead of all others."""
    return int((time.time() + _LEAD_S) * 1000)


def _followed(line: bytes) -> tuple[str, int]:
    """The hash and the number of the line that the next one follows."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        document = None
    match document:
        case {"hash": str(line_hash), "order_seq": int(order_seq)}:
            return line_hash, order_seq
    raise ValueError("its last line is no line of a journal; move the file away")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
