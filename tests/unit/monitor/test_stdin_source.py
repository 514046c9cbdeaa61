import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from baselines.event import MAX_MESSAGE_BYTES
from monitor.sources import Place
from monitor.sources.stdin import StdinSource


class Pipe(NamedTuple):
    source: StdinSource
    writer: int


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reader, writer = os.pipe()
    yield Pipe(StdinSource(reader, clock=lambda: 12.5), writer)
    os.close(reader)
    with contextlib.suppress(OSError):  # the test may have closed it to end the input
        os.close(writer)


def drain(source: StdinSource) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    while chunks := source.poll(0.05):
        found += [(record.offset, record.value or b"") for c in chunks for record in c.records]
    return found


def test_lines_are_numbered_and_stamped(pipe: Pipe) -> None:
    pipe.source.start(0, None)
    os.write(pipe.writer, b'{"a":1}\n\n{"b":2}\n')
    (chunk,) = pipe.source.poll(1)
    assert [(r.offset, r.value) for r in chunk.records] == [(0, b'{"a":1}'), (2, b'{"b":2}')]
    assert chunk.next_offset == 3
    assert {r.timestamp for r in chunk.records} == {12_500}
    assert pipe.source.describe(0, 2) == "line 3 of standard input"


def test_half_a_line_waits_for_its_newline(pipe: Pipe) -> None:
    pipe.source.start(0, None)
    os.write(pipe.writer, b"one\ntw")
    assert drain(pipe.source) == [(0, b"one")]
    os.write(pipe.writer, b"o\n")
    assert drain(pipe.source) == [(1, b"two")]


def test_the_end_hands_out_what_has_no_newline_and_then_is_the_end(pipe: Pipe) -> None:
    pipe.source.start(0, None)
    os.write(pipe.writer, b"one\nlast")
    os.close(pipe.writer)
    assert drain(pipe.source) == [(0, b"one"), (1, b"last")]
    assert pipe.source.exhausted()


def test_numbers_go_on_from_the_last_run(pipe: Pipe) -> None:
    pipe.source.start(0, Place(7, {}))
    os.write(pipe.writer, b"one\n")
    assert drain(pipe.source) == [(7, b"one")]
    assert pipe.source.describe(0, 7) == "line 1 of standard input"


def test_a_redirected_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"one\ntwo\n")
    with file.open("rb") as opened:
        source = StdinSource(opened.fileno())
        source.start(0, None)
        assert drain(source) == [(0, b"one"), (1, b"two")]
        assert source.exhausted()


def test_an_endless_line_is_cut_so_that_the_event_check_refuses_it(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"x" * (5 * MAX_MESSAGE_BYTES) + b"\nnext\n")
    with file.open("rb") as opened:
        source = StdinSource(opened.fileno())
        source.start(0, None)
        (long, following) = drain(source)
    assert len(long[1]) == MAX_MESSAGE_BYTES + 1
    assert following == (1, b"next")
