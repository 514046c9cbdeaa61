"""Kafka topics, read by confluent-kafka: for those who outgrow pure Python.

It tells rebalances within `poll`, on the polling thread. It fetches on threads of its own, and
ahead; what it has fetched of a partition that is paused or sought elsewhere it throws away.
"""

import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import inf
from typing import Any, Final, NamedTuple

from monitor import confluent_client, kafka_client
from monitor.config_source import KafkaConfig, SourceConfig
from monitor.kafka_client import KafkaClientError, Partition
from monitor.sources import Chunk, SourceError
from monitor.sources.group import GroupSource
from monitor.sources.kafka import MAX_POLL_RECORDS

_NONE: Final = -1001
"""No offset, in librdkafka's terms."""
_ASK_AGAIN_S: Final = 10.0
"""An answer that does not come may hold up the worker each time that it is asked for."""

log = logging.getLogger(__name__)


class Fetched(NamedTuple):
    """A `monitor.sources.Record`."""

    offset: int
    timestamp: int
    value: bytes | None
    message: Any

    @property
    def key(self) -> bytes | None:
        """As the producer gave it."""
        key: bytes | None = self.message.key()
        return key

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """As the producer gave them."""
        return self.message.headers() or ()


class ConfluentSource(GroupSource):
    """Implements `monitor.sources.Source`.

    Raises
    ------
    SourceError
        As `GroupSource` does, and if confluent-kafka is not installed.
    """

    def __init__(self, source: SourceConfig, kafka: KafkaConfig) -> None:
        try:
            self._library = confluent_client.library()
            self.errors = self._library.KafkaException
            super().__init__(source, kafka)
            settings = confluent_client.consumer_settings(kafka)
        except KafkaClientError as error:
            raise SourceError(str(error)) from None
        self._timeout_s = kafka.request_timeout_s
        self._positions: dict[int, int] = {}
        """Of the partitions that are ours: what `poll` returns next."""
        self._gone: set[int] = set()
        """Partitions of which Kafka does not have that any more."""
        self._ask_at_s: dict[str, float] = {}
        """By topic: when to ask how many partitions it has; at once where there is none."""
        self._failure: Any = None
        callbacks = {"error_cb": self._on_error, "on_commit": self._on_commit}
        try:
            self._consumer = self._library.Consumer(settings | callbacks, logger=log)
        except self.errors as error:
            raise SourceError(self._explain(error)) from None
        self._consumer.subscribe(
            [*self._topics.names],
            on_assign=self._on_assigned,
            on_revoke=self._on_lost,
            on_lost=self._on_lost,
        )

    def poll(self, timeout_s: float) -> list[Chunk]:
        """See `Source.poll`. A broker that is away for a while is waited for."""
        try:
            first = self._consumer.poll(timeout_s)
            if first is None:
                messages = []
            else:  # with what else is there: by itself `consume` would wait until it is so much
                messages = [first, *self._consumer.consume(MAX_POLL_RECORDS - 1, 0)]
        except self.errors as error:
            self._on_error(error.args[0])
            messages = []
        if self._failure is not None:
            raise SourceError(self._failure)
        runs: dict[tuple[str, int], list[Fetched]] = {}
        for message in messages:
            if message.error() is not None:
                self._take_error(message)
                continue
            record = Fetched(message.offset(), message.timestamp()[1], message.value(), message)
            runs.setdefault((message.topic(), message.partition()), []).append(record)
        chunks = []
        for (topic, partition), records in runs.items():
            number = self._topics.number(kafka_client.partition(topic, partition))
            if number in self._started:
                self._positions[number] = records[-1].offset + 1
                chunks.append(Chunk(number, records, records[-1].offset + 1))
        self._leave_gaps()
        return chunks

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        """Tell the group's offsets to Kafka, for tools that show lag. Never waits."""
        offsets = [
            self._place(self._topics.partition(partition), offset)
            for partition, offset in next_offsets.items()
        ]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=True)
        except self.errors as error:
            self._on_commit(error.args[0], offsets)

    def close(self) -> None:
        """Leave the group."""
        try:
            self._consumer.close()
        except self.errors as error:
            log.warning("leaving the consumer group: %s", self._explain(error))

    def _on_assigned(self, consumer: Any, places: Sequence[Any]) -> None:
        # Any position will do, as `start` sets the right one. It has to be a number: for any other
        # the client asks Kafka, and the answer would come after `start`, and undo it.
        consumer.incremental_assign([self._place(there, 0) for there in places])
        consumer.pause(list(places))
        self._positions |= {self._topics.number(there): 0 for there in places}
        self._ask_at_s.clear()  # perhaps there are more partitions now
        self._mark_assigned(places)

    def _on_lost(self, consumer: Any, places: Iterable[Any]) -> None:
        del consumer  # which takes them away itself after this
        for there in places:
            self._positions.pop(self._topics.number(there), None)
            self._gone.discard(self._topics.number(there))
        self._mark_lost(places)

    def _on_commit(self, error: Any, offsets: object) -> None:
        del offsets
        if error is not None:
            said = self._explain(self.errors(error))
            log.warning("offsets not committed (advisory): %s", said)

    def _on_error(self, error: Any) -> None:
        """What is about no partition: said, and where waiting does not help, kept for `poll`."""
        reason = self._explain(self.errors(error))
        if confluent_client.is_transient(error):
            log.warning("%s; trying again", reason)
        else:
            self._failure = reason

    def _take_error(self, message: Any) -> None:
        if not confluent_client.is_out_of_range(message.error()):
            self._on_error(message.error())
            return
        there = kafka_client.partition(message.topic(), message.partition())
        if (number := self._topics.number(there)) in self._started:
            self._gone.add(number)

    def _leave_gaps(self) -> None:
        """Go on where records are; asked again by the next `poll` while Kafka does not say."""
        for number in sorted(self._gone):
            try:
                self._go_on_after_gap({self._topics.partition(number): self._positions[number]})
            except self.errors as error:
                self._on_error(error.args[0])
            else:
                self._gone.discard(number)

    def _seek(self, there: Partition, offset: int) -> bool:
        number = self._topics.number(there)
        if number not in self._positions:
            return False
        place = self._place(there, offset)
        try:
            self._consumer.seek(place)
        except self.errors:  # it does not read there yet, or not any more: as after a gap
            self._consumer.incremental_unassign([place])
            self._consumer.incremental_assign([place])
            if self._held:
                self._consumer.pause([place])
        self._positions[number] = offset
        return True

    def _pause(self, there: Partition) -> None:
        if self._topics.number(there) in self._positions:
            self._consumer.pause([self._place(there)])

    def _resume(self, there: Partition) -> None:
        if self._topics.number(there) in self._positions:
            self._consumer.resume([self._place(there)])

    def _first_offsets(self, places: Collection[Partition]) -> Mapping[Partition, int]:
        return {there: self._bounds(there)[0] for there in places}

    def _end_offsets(self, places: Collection[Partition]) -> Mapping[Partition, int]:
        return {there: self._bounds(there)[1] for there in places}

    def _bounds(self, there: Partition) -> tuple[int, int]:
        found: tuple[int, int] = self._consumer.get_watermark_offsets(
            self._place(there), timeout=self._timeout_s
        )
        return found

    def _partitions(self, topic: str) -> int:
        if time.monotonic() < self._ask_at_s.get(topic, 0.0):
            return 0  # it was told, or nobody answered a moment ago
        self._ask_at_s[topic] = time.monotonic() + self._timeout_s + _ASK_AGAIN_S
        told = self._consumer.list_topics(topic, timeout=self._timeout_s).topics[topic]
        if told.partitions:
            self._ask_at_s[topic] = inf
        return len(told.partitions)

    def _place(self, there: Any, offset: int = _NONE) -> Any:
        return self._library.TopicPartition(there.topic, there.partition, offset)

    def _is_transient(self, error: Exception) -> bool:
        return confluent_client.is_transient(error.args[0])

    def _explain(self, error: Exception) -> str:
        as_told = confluent_client.as_kafka_python(error.args[0])
        return kafka_client.explain(as_told, self._kafka, f"topic {self.name}")
