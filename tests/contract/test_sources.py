"""What the worker relies on, for every source alike."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer  # type: ignore[import-untyped]

from alerting.notify.contract import stopwatch
from monitor.config_source import KafkaConfig, SourceConfig
from monitor.sources import Chunk, Place, Source
from monitor.sources.clients import kafka_source
from monitor.sources.log_file import LogFileSource
from monitor.sources.stdin import StdinSource
from tests.kit.broker import Broker, create_topic
from tests.kit.kafka_member import has_client

AGENT = "payroll-01"
WAIT_S = 60.0


class Rig:
    """One kind of source, with somebody who writes to it."""

    can_restart = True

    def write(self, *lines: str) -> None:
        raise NotImplementedError

    def open(self) -> Source:
        raise NotImplementedError

    def close(self) -> None:
        pass


class LogRig(Rig):
    def __init__(self, directory: Path) -> None:
        self.path = directory / "events.jsonl"

    def write(self, *lines: str) -> None:
        with self.path.open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))

    def open(self) -> Source:
        return LogFileSource(self.path)


class StdinRig(Rig):
    can_restart = False

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def write(self, *lines: str) -> None:
        os.write(self.writer, "".join(f"{line}\n" for line in lines).encode())

    def open(self) -> Source:
        return StdinSource(self.reader)

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


class KafkaRig(Rig):
    def __init__(self, broker: Broker, client: str) -> None:
        topic = create_topic(broker)
        self.source = SourceConfig.model_validate(
            {"kind": "kafka", "topic": topic, "client": has_client(client)}
        )
        self.kafka = KafkaConfig(
            bootstrap_servers=broker.bootstrap_servers, group_id=topic, session_timeout_s=1
        )
        self.producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers)

    def write(self, *lines: str) -> None:
        for line in lines:
            self.producer.send(self.source.topic, line.encode(), key=AGENT.encode())
        self.producer.flush()

    def open(self) -> Source:
        return kafka_source(self.source, self.kafka)

    def close(self) -> None:
        self.producer.close()


@pytest.fixture(
    params=[
        "log",
        "stdin",
        pytest.param("kafka-python", marks=pytest.mark.service),
        pytest.param("confluent", marks=pytest.mark.service),
    ],
)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    makers: dict[str, Callable[[], Rig]] = {
        "log": lambda: LogRig(tmp_path),
        "stdin": StdinRig,
    }
    rig = makers.get(
        request.param, lambda: KafkaRig(request.getfixturevalue("kafka"), request.param)
    )()
    yield rig
    rig.close()


@pytest.fixture
def source(rig: Rig) -> Iterator[Source]:
    source = rig.open()
    yield source
    source.close()


def until(source: Source, done: Callable[[list[Chunk]], bool]) -> list[Chunk]:
    """Poll until what was polled is enough."""
    deadline, chunks = time.monotonic() + WAIT_S, list[Chunk]()
    while not done(chunks):
        assert time.monotonic() < deadline, f"only {chunks}"
        chunks += source.poll(0.1)
    return chunks


def lines(chunks: list[Chunk]) -> list[str]:
    return [(record.value or b"").decode() for chunk in chunks for record in chunk.records]


def assigned(source: Source) -> list[int]:
    partitions: list[int] = []

    def complete(_: list[Chunk]) -> bool:
        partitions.extend(source.take_changes().assigned)
        return source.partitions_of(AGENT)[0] in partitions

    assert until(source, complete) == []
    return partitions


def begin(source: Source, places: dict[int, Place] | None = None) -> None:
    for partition in assigned(source):
        source.start(partition, (places or {}).get(partition))


def test_nothing_is_handed_out_before_start(rig: Rig, source: Source) -> None:
    rig.write("one", "two")
    partitions = assigned(source)
    for _ in range(5):
        assert source.poll(0.05) == []
    for partition in partitions:
        source.start(partition, None)
    chunks = until(source, lambda chunks: len(lines(chunks)) == 2)
    assert lines(chunks) == ["one", "two"]
    assert {chunk.partition for chunk in chunks} == {source.partitions_of(AGENT)[0]}


def test_offsets_rise_and_next_offset_lies_behind_them(rig: Rig, source: Source) -> None:
    begin(source)
    rig.write(*(f"line {number}" for number in range(50)))
    chunks = until(source, lambda chunks: len(lines(chunks)) == 50)
    offsets = [record.offset for chunk in chunks for record in chunk.records]
    assert offsets == sorted(set(offsets))
    for chunk in chunks:
        assert chunk.next_offset > chunk.records[-1].offset
    rig.write("next")
    (chunk,) = until(source, bool)
    assert chunk.records[0].offset >= chunks[-1].next_offset


def test_a_record_is_stamped_in_milliseconds(rig: Rig, source: Source) -> None:
    begin(source)
    before_ms = time.time() * 1000
    rig.write("one")
    (chunk,) = until(source, bool)
    assert before_ms - 1000 < chunk.records[0].timestamp < time.time() * 1000 + 1000


def test_a_new_source_goes_on_at_a_place(rig: Rig, source: Source) -> None:
    if not rig.can_restart:
        pytest.skip("standard input cannot be read again")
    begin(source)
    rig.write("one", "two")
    chunk = until(source, lambda chunks: len(lines(chunks)) == 2)[-1]
    # Through JSON, as the store keeps it.
    notes: dict[str, Any] = json.loads(json.dumps(dict(source.notes(chunk.partition))))
    source.close()
    rig.write("three")
    following = rig.open()
    begin(following, {chunk.partition: Place(chunk.next_offset, notes)})
    assert lines(until(following, bool)) == ["three"]
    following.close()


def test_held_it_returns_nothing_and_loses_nothing(rig: Rig, source: Source) -> None:
    begin(source)
    rig.write("one")
    until(source, bool)
    source.hold(True)
    rig.write("two")
    for _ in range(5):
        assert source.poll(0.05) == []
    source.hold(False)
    assert lines(until(source, bool)) == ["two"]


def test_started_while_held_it_waits_too(rig: Rig, source: Source) -> None:
    rig.write("one")
    source.hold(True)
    begin(source)
    for _ in range(5):
        assert source.poll(0.05) == []
    source.hold(False)
    assert lines(until(source, bool)) == ["one"]


def test_read_to_the_end_next_offset_is_the_end_offset(rig: Rig, source: Source) -> None:
    begin(source)
    rig.write("one", "two")
    chunks = until(source, lambda chunks: len(lines(chunks)) == 2)
    assert source.end_offset(chunks[-1].partition) == chunks[-1].next_offset


def test_poll_keeps_to_its_time(source: Source) -> None:
    begin(source)
    began_s = time.monotonic()
    with stopwatch() as passed_s:
        source.poll(0.2)
        assert passed_s() < 2
    assert time.monotonic() - began_s > 0.1


def test_commit_never_raises_and_nobody_else_takes_what_is_ours(source: Source) -> None:
    begin(source)
    source.commit({source.partitions_of(AGENT)[0]: 0})
    source.poll(0.1)
    assert source.take_changes() == ([], [])


def test_a_place_is_told_in_words(rig: Rig, source: Source) -> None:
    assert "\n" not in source.describe(0, 17)
    assert any(character.isdigit() for character in source.describe(0, 17))
    assert source.name
    assert not source.exhausted()
