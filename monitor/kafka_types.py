"""What is used of kafka-python, as types: it ships none."""
# ruff: noqa: D102 -- kafka-python documents these methods

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol


class Partition(Protocol):
    """A partition of a topic: kafka-python's `TopicPartition`."""

    topic: str
    partition: int


class Consumer(Protocol):
    """What is used of `KafkaConsumer`."""

    def subscribe(self, topics: Sequence[str], *, listener: Any) -> None: ...
    def assign(self, partitions: Sequence[Partition]) -> None: ...
    def position(self, partition: Partition) -> int: ...
    def poll(self, timeout_ms: float) -> dict[Partition, Any]: ...
    def seek(self, partition: Partition, offset: int) -> None: ...
    def pause(self, *partitions: Partition) -> None: ...
    def resume(self, *partitions: Partition) -> None: ...
    def partitions_for_topic(self, topic: str) -> set[int]: ...
    def beginning_offsets(
        self, partitions: Sequence[Partition], timeout_ms: float
    ) -> dict[Partition, int]: ...
    def end_offsets(
        self, partitions: Sequence[Partition], timeout_ms: float
    ) -> dict[Partition, int]: ...
    def commit_async(
        self, offsets: Mapping[Partition, Any], callback: Callable[[Any, Any], object]
    ) -> Any: ...
    def close(self, *, autocommit: bool, timeout_ms: float) -> None: ...


class Delivery(Protocol):
    """The future of one produced record."""

    def get(self, timeout: float) -> Any:
        """Wait until it is acknowledged by all in-sync replicas, or raise what went wrong."""


class Producer(Protocol):
    """What is used of `KafkaProducer`; idempotent, acknowledged by all in-sync replicas."""

    def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> Delivery: ...
    def flush(self, timeout: float) -> None: ...
    def close(self, timeout: float) -> None: ...
