import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from baselines.event import MAX_MESSAGE_BYTES
from monitor.sources import Place, SourceError
from monitor.sources.log_file import GENERATION_BYTES, LogFileSource

SECOND_NS = 1_000_000_000


class Reader:
    """A source that can be stopped and started again where its last chunk ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place: Place | None = None
        self.source = self._start()

    def _start(self) -> LogFileSource:
        source = LogFileSource(self.path, clock=lambda: 12.5)
        source.start(0, self.place)
        return source

    def restart(self) -> None:
        self.source.close()
        self.source = self._start()

    def read(self) -> list[str]:
        lines, empty = [], 0
        while empty < 2:  # the first may have found the log cut off
            chunks = self.source.poll(0)
            empty = 0 if chunks else empty + 1
            for chunk in chunks:
                lines += [(record.value or b"").decode() for record in chunk.records]
                self.place = Place(chunk.next_offset, dict(self.source.notes(0)))
        return lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


@pytest.fixture
def reader(path: Path) -> Iterator[Reader]:
    reader = Reader(path)
    yield reader
    reader.source.close()


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def rename(path: Path, name: str, mtime_s: int) -> Path:
    """Rotate; the times stand for files that were minutes in use, not microseconds."""
    os.utime(path, ns=(0, mtime_s * SECOND_NS))
    return path.rename(path.with_name(name))


def test_lines_have_byte_offsets_and_the_time_of_reading(path: Path, reader: Reader) -> None:
    append(path, "one\n\ntwo\n")
    (chunk,) = reader.source.poll(0)
    assert [(r.offset, r.value, r.timestamp) for r in chunk.records] == [
        (0, b"one", 12_500),
        (5, b"two", 12_500),
    ]
    assert chunk.next_offset == 9 == reader.source.end_offset(0)
    assert reader.source.describe(0, 5) == f"{path} byte 5"


def test_a_log_that_does_not_exist_yet_is_waited_for(path: Path, reader: Reader) -> None:
    assert reader.read() == []
    assert reader.source.end_offset(0) == 0
    append(path, "one\n")
    assert reader.read() == ["one"]


def test_half_a_line_waits_for_its_newline(path: Path, reader: Reader) -> None:
    append(path, "one\ntw")
    assert reader.read() == ["one"]
    assert reader.source.end_offset(0) == 4
    append(path, "o\n")
    assert reader.read() == ["two"]


def test_nothing_is_read_before_start_nor_while_held(path: Path) -> None:
    append(path, "one\n")
    source = LogFileSource(path)
    assert source.take_changes() == ([], [0])
    assert source.take_changes() == ([], [])
    assert source.poll(0) == []
    source.hold(True)
    source.start(0, None)
    assert source.poll(0) == []
    source.hold(False)
    assert source.poll(0)[0].next_offset == 4
    source.close()


def test_latest_begins_behind_the_last_whole_line(path: Path) -> None:
    append(path, "old\nunfin")
    source = LogFileSource(path, start_at="latest")
    source.start(0, None)
    assert source.poll(0) == []
    append(path, "ished\n")
    assert [r.value for r in source.poll(0)[0].records] == [b"unfinished"]
    source.close()


def test_a_renamed_file_is_finished_before_the_new_one(path: Path, reader: Reader) -> None:
    append(path, "one\n")
    assert reader.read() == ["one"]
    old = rename(path, "events.jsonl.1", 100)
    path.touch()
    append(old, "two\n")  # its writer has not opened the new file yet
    assert reader.read() == ["two"]
    append(old, "three\n")
    append(path, "four\n")
    assert reader.read() == ["three", "four"]
    assert reader.place is not None
    assert reader.place.next_offset == GENERATION_BYTES + 5 == reader.source.end_offset(0)
    assert reader.source.describe(0, GENERATION_BYTES) == (
        f"{path} byte 0, 1 rotations after the first start"
    )


def test_the_last_line_of_a_renamed_file_needs_no_newline(path: Path, reader: Reader) -> None:
    append(path, "one\ntwo")
    assert reader.read() == ["one"]
    rename(path, "events.jsonl.1", 100)
    append(path, "three\n")
    assert reader.read() == ["two", "three"]


def test_two_rotations_between_two_polls_skip_nothing(path: Path, reader: Reader) -> None:
    append(path, "one\n")
    assert reader.read() == ["one"]
    for number in (2, 3, 4):
        rename(path, f"events.jsonl.{number}", 100 * number)
        append(path, f"file {number}\n")
    end = reader.source.end_offset(0)
    assert reader.read() == ["file 2", "file 3", "file 4"]
    assert reader.place is not None
    assert reader.place.next_offset == end


def test_a_file_that_was_cut_off_is_read_from_its_start(path: Path, reader: Reader) -> None:
    append(path, "one\ntwo\n")
    assert reader.read() == ["one", "two"]
    path.write_text("new\n")
    assert reader.read() == ["new"]
    path.write_text("this is longer than what was there\n")
    assert reader.read() == ["this is longer than what was there"]
    assert reader.place is not None
    assert reader.place.next_offset // GENERATION_BYTES == 2


@pytest.mark.parametrize("down", [False, True])
def test_copytruncate_loses_nothing_that_is_in_the_copy(
    path: Path, reader: Reader, down: bool
) -> None:
    append(path, "one\n")
    assert reader.read() == ["one"]
    append(path, "two\n")
    shutil.copy2(path, path.with_name("events.jsonl.1"))
    path.write_text("three\n")
    if down:
        reader.restart()
    assert reader.read() == ["two", "three"]


def test_a_restart_goes_on_behind_the_last_chunk(path: Path, reader: Reader) -> None:
    append(path, "one\n")
    assert reader.read() == ["one"]
    append(path, "two\n")
    reader.restart()
    assert reader.read() == ["two"]
    reader.restart()
    assert reader.read() == []


def test_rotations_while_down_are_caught_up_with(path: Path, reader: Reader) -> None:
    append(path, "one\n")
    assert reader.read() == ["one"]
    append(path, "two\n")
    rename(path, "events.jsonl.2", 100)
    append(path, "three\n")
    rename(path, "events.jsonl.1", 200)
    append(path, "four\n")
    append(path.with_name("events.rejected.jsonl"), "a dead letter\n")
    reader.restart()
    assert reader.read() == ["two", "three", "four"]


@pytest.mark.parametrize(
    "name", ["events.rejected-20261122.jsonl", "events.rejected.20261122.jsonl"]
)
def test_dead_letters_that_were_rotated_are_no_part_of_the_log(
    path: Path, reader: Reader, name: str
) -> None:
    append(path, "one\n")
    assert reader.read() == ["one"]
    rename(path, "events-20261121.jsonl", 100)
    append(path.with_name(name), "a dead letter\n")
    append(path, "two\n")
    reader.restart()
    assert reader.read() == ["two"]


def test_a_lost_file_is_said_and_the_newer_ones_are_read(
    path: Path, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    append(path, "older\n")
    rename(path, "events.jsonl.7", 1)
    append(path, "one\n")
    os.utime(path, ns=(0, 100 * SECOND_NS))
    assert reader.read() == ["one"]
    append(path, "never read\n")
    path.unlink()
    append(path, "two\n")
    rename(path, "events.jsonl.1", 200)
    append(path, "three\n")
    with caplog.at_level(logging.ERROR):
        reader.restart()
    assert reader.read() == ["two", "three"]
    assert str(path) in caplog.text
    assert "byte 4" in caplog.text


def test_an_inode_that_was_given_out_anew_is_not_the_old_file(path: Path, reader: Reader) -> None:
    append(path, "one\ntwo\n")
    assert reader.read() == ["one", "two"]
    path.write_text("another file of the same inode\n")
    reader.restart()
    assert reader.read() == ["another file of the same inode"]


def test_an_endless_line_is_cut_and_the_next_is_whole(path: Path, reader: Reader) -> None:
    append(path, "x" * (3 * MAX_MESSAGE_BYTES))
    assert reader.read() == []
    append(path, "x\nnext\n")
    assert [len(line) for line in reader.read()] == [MAX_MESSAGE_BYTES + 1, 4]
    assert reader.place is not None
    assert reader.place.next_offset == 3 * MAX_MESSAGE_BYTES + 7


def test_a_chunk_is_bounded(path: Path, reader: Reader) -> None:
    append(path, '{"event_id": "a line of a usual length"}\n' * 50_000)
    (chunk,) = reader.source.poll(0)
    assert 2000 <= len(chunk.records) < 10_000


def test_what_is_no_file_is_refused_by_name(tmp_path: Path) -> None:
    source = LogFileSource(tmp_path)
    with pytest.raises(SourceError, match=f"{tmp_path} is not a regular file"):
        source.start(0, None)
    os.mkfifo(tmp_path / "pipe")
    source = LogFileSource(tmp_path / "pipe")
    with pytest.raises(SourceError, match="pipe is not a regular file"):
        source.start(0, None)
    (tmp_path / "file").touch()
    source = LogFileSource(tmp_path / "file" / "events.jsonl")
    with pytest.raises(SourceError, match="Not a directory"):
        source.start(0, None)
