import base64
import errno
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from monitor.config import Config
from monitor.config_source import SourceConfig
from monitor.dead_letter import (
    MAX_WAITING_BYTES,
    PART_BYTES,
    DeadLetter,
    DeadLetterError,
    FileDeadLetters,
    open_dead_letters,
)


def letter(offset: int, raw: bytes | None = b"{") -> DeadLetter:
    return DeadLetter("events.jsonl", 0, offset, "record: no JSON", raw, 1000.5)


def kept(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@contextmanager
def full_disk(limit_bytes: int) -> Iterator[None]:
    """No file may grow over the limit, which the kernel says in the middle of a write."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_letter_is_kept_with_reason_and_place(tmp_path: Path) -> None:
    path = tmp_path / "events.rejected.jsonl"
    letters = FileDeadLetters(path)
    letters.put(letter(17, "{ ünfinished".encode()))
    assert path.read_bytes() == b""
    letters.flush()
    assert kept(path) == [
        {
            "source": "events.jsonl",
            "partition": 0,
            "offset": 17,
            "reason": "record: no JSON",
            "at": 1000.5,
            "kind": "malformed",
            "raw": "{ ünfinished",
        }
    ]


def test_any_bytes_come_back_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "events.rejected.jsonl"
    letters = FileDeadLetters(path)
    raws = [b"\xff\x00\n\x80", b"line\nbreak\x00\x1b[2J", b"", None]
    for offset, raw in enumerate(raws):
        letters.put(letter(offset, raw))
    letters.flush()
    documents = kept(path)
    assert base64.b64decode(documents[0]["raw_base64"]) == raws[0]
    assert documents[1]["raw"].encode() == raws[1]
    assert [documents[2]["raw"], documents[3]["raw"]] == ["", None]


def test_a_full_disk_is_said_and_the_letters_are_kept_later(tmp_path: Path) -> None:
    path = tmp_path / "events.rejected.jsonl"
    letters = FileDeadLetters(path)
    letters.put(letter(1))
    letters.flush()
    before = path.read_bytes()
    letters.put(letter(2, b"x" * 500))
    with full_disk(len(before) + 100), pytest.raises(DeadLetterError, match=str(path)):
        letters.flush()
    assert path.read_bytes() == before
    letters.put(letter(3))
    letters.flush()
    assert [document["offset"] for document in kept(path)] == [1, 2, 3]
    letters.flush()
    assert len(kept(path)) == 3


def test_a_disk_that_cannot_be_read_is_said_and_the_letters_are_kept_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.rejected.jsonl"
    letters = FileDeadLetters(path)
    for offset in (1, 2):
        letters.put(letter(offset))
        if offset == 1:
            letters.flush()
    open_files = len(os.listdir("/proc/self/fd"))

    def fail(_fd: int, _length: int, _offset: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as broken:
        broken.setattr("monitor.sources.lines.os.pread", fail)
        with pytest.raises(DeadLetterError, match="Input/output error"):
            letters.flush()
    assert len(os.listdir("/proc/self/fd")) == open_files
    letters.flush()
    assert [document["offset"] for document in kept(path)] == [1, 2]


def test_half_a_line_of_a_killed_run_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "events.rejected.jsonl"
    path.write_bytes(b'{"offset": 1}\n{"offs')
    letters = FileDeadLetters(path)
    letters.put(letter(2))
    letters.flush()
    assert [document["offset"] for document in kept(path)] == [1, 2]


def test_the_file_may_be_rotated_between_flushes(tmp_path: Path) -> None:
    path = tmp_path / "events.rejected.jsonl"
    letters = FileDeadLetters(path)
    letters.put(letter(1))
    letters.flush()
    path.rename(tmp_path / "old")
    letters.put(letter(2))
    letters.flush()
    assert [document["offset"] for document in kept(path)] == [2]


def test_memory_is_bounded_by_flushing_on_its_own(tmp_path: Path) -> None:
    path = tmp_path / "events.rejected.jsonl"
    letters = FileDeadLetters(path)
    letters.put(letter(1, b"x" * (MAX_WAITING_BYTES - 1000)))
    assert path.stat().st_size == 0
    letters.put(letter(2, b"x" * 1000))
    assert [document["offset"] for document in kept(path)] == [1, 2]


def test_what_was_kept_before_it_failed_is_not_kept_again(tmp_path: Path) -> None:
    path = tmp_path / "events.rejected.jsonl"
    letters = FileDeadLetters(path)
    for offset in range(10):
        letters.put(letter(offset, b"x" * (PART_BYTES // 3)))
    with full_disk(2 * PART_BYTES), pytest.raises(DeadLetterError, match="File too large"):
        letters.flush()
    before = [one["offset"] for one in kept(path)]
    assert before == list(range(len(before))) != []
    letters.flush()
    assert [one["offset"] for one in kept(path)] == list(range(10))


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "events.rejected.jsonl"
    path.mkdir()
    with pytest.raises(DeadLetterError, match="Is a directory"):
        FileDeadLetters(path)


def test_they_stand_beside_the_log_or_in_the_state_directory(tmp_path: Path) -> None:
    log = Config(source=SourceConfig(kind="log", path=tmp_path / "agents.jsonl"))
    open_dead_letters(log)
    assert (tmp_path / "agents.rejected.jsonl").exists()
    open_dead_letters(Config(source=SourceConfig(kind="stdin")))
    assert (tmp_path / "state" / "tripswitch" / "stdin.rejected.jsonl").exists()
