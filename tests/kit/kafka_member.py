"""A member of a consumer group, and what fills its topic."""

import importlib.util
from collections import Counter

from kafka import KafkaProducer  # type: ignore[import-untyped]

from monitor.config_source import KafkaConfig, SourceConfig
from monitor.sources import Chunk, Place, Source
from monitor.sources.clients import kafka_source
from monitor.sources.group import GroupSource
from tests.conftest import PARTITIONS
from tests.kit.broker import Broker
from tests.kit.service import unavailable

WAIT_S = 60.0


def has_client(client: str) -> str:
    """The library that reads; skips on a laptop without it, fails in CI."""
    if client == "confluent" and importlib.util.find_spec("confluent_kafka") is None:
        unavailable("no confluent-kafka: install tripswitch[fast]")
    return client


def member_config(kafka: Broker, topic: str) -> KafkaConfig:
    """A group of its own, that gives up soon."""
    return KafkaConfig(
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=topic,
        session_timeout_s=1,
        request_timeout_s=3,
    )


def opened(topic: str, config: KafkaConfig, client: str, start: str = "earliest") -> GroupSource:
    """The source that reads a topic by this library."""
    settings = {"kind": "kafka", "topic": topic, "client": client, "start": start}
    return kafka_source(SourceConfig.model_validate(settings), config)


def fill(producer: KafkaProducer, topic: str, count: int, partition: int | None = None) -> None:
    """`count` records for each partition, or for the one."""
    for number in range(count):
        for each in range(PARTITIONS) if partition is None else (partition,):
            producer.send(topic, f"{each}/{number}".encode(), partition=each)
    producer.flush()


class Member:
    """Does with a source what the worker does, and checks that it gets only what it started."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.next_offsets: dict[int, int] = {}
        self.started: set[int] = set()
        self.polled: list[Chunk] = []

    def step(self, places: dict[int, int] | None = None, poll_s: float = 0.05) -> None:
        chunks = self.source.poll(poll_s)
        lost, assigned = self.source.take_changes()
        self.started -= set(lost)
        for chunk in chunks:
            if chunk.partition in self.started:
                self.polled.append(chunk)
                self.next_offsets[chunk.partition] = chunk.next_offset
        for partition in assigned:
            assert partition not in self.started
            offset = (places or {}).get(partition)
            self.source.start(partition, None if offset is None else Place(offset, {}))
            self.started.add(partition)

    def records(self) -> Counter[str]:
        return Counter(
            (record.value or b"").decode() for chunk in self.polled for record in chunk.records
        )
