"""A consumer group's share of Kafka topics: what is the same whichever library reads them.

A rebalance may be told at any moment, and nothing may block there: a new partition is only paused
and marked. The polling thread takes the marks, and `start` seeks and resumes. So no record of a
partition is seen before its shard was claimed and loaded.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from monitor import kafka_client
from monitor.config_source import KafkaConfig, SourceConfig
from monitor.kafka_client import Partition
from monitor.sources import Changes, Chunk, Gone, Part, Place, SourceAwayError, SourceError
from monitor.sources.partition import partition_for
from monitor.sources.topics import Topics

log = logging.getLogger(__name__)


class GroupSource(ABC):
    """All of `monitor.sources.Source` that needs no more than what a client does alike.

    Attributes
    ----------
    errors
        What the client raises.

    Raises
    ------
    SourceError
        If the broker does not answer within `kafka.request_timeout_s` or refuses us, or a topic
        does not exist.
    """

    errors: type[Exception]

    def __init__(self, source: SourceConfig, kafka: KafkaConfig) -> None:
        self._topics = Topics(source.read_topics)
        self.name = str(self._topics)
        self._kafka = kafka
        self._start_at = source.start
        self._marks = threading.Lock()  # over the four sets: rebalances may be told elsewhere
        self._started: set[int] = set()
        self._assigned: set[int] = set()
        self._lost: set[int] = set()
        self._ours: set[int] = set()
        self._held = False
        self.gone = Gone()
        self._began_with: dict[str, int] = {}
        """How many partitions topics had; those that came later were never passed over."""
        try:
            for topic in self._topics.names:
                self._began_with[topic] = kafka_client.partition_count(kafka, topic)
                if not self._began_with[topic]:
                    raise SourceError(
                        f"Kafka at {kafka.bootstrap_servers} has no topic {topic!r}: create it "
                        f"(kafka-topics.sh --create --topic {topic} --partitions 4) "
                        "or set source.topic"
                    )
        except kafka_client.KafkaClientError as error:
            raise SourceError(str(error)) from None
        self._counts = dict(self._began_with)
        """How many partitions topics have, as last told."""

    @abstractmethod
    def poll(self, timeout_s: float) -> list[Chunk]:
        """See `Source.poll`."""

    @abstractmethod
    def commit(self, next_offsets: Mapping[int, int]) -> None:
        """Tell the group's offsets to Kafka, for tools that show lag. Never waits."""

    @abstractmethod
    def close(self) -> None:
        """Leave the group."""

    @abstractmethod
    def _seek(self, there: Partition, offset: int) -> bool:
        """Read from there on; False if it is no longer ours."""

    @abstractmethod
    def _pause(self, there: Partition) -> None:
        """Read no further; does nothing if it is no longer ours."""

    @abstractmethod
    def _resume(self, there: Partition) -> None:
        """Read on; does nothing if it is no longer ours."""

    @abstractmethod
    def _first_offsets(self, places: Collection[Partition]) -> Mapping[Partition, int]:
        """The oldest offsets that Kafka has, or `errors`."""

    @abstractmethod
    def _end_offsets(self, places: Collection[Partition]) -> Mapping[Partition, int]:
        """The offsets behind the newest records, or `errors`."""

    @abstractmethod
    def _partitions(self, topic: str) -> int:
        """How many partitions a topic has, or `errors`; 0 where the client does not know now."""

    @abstractmethod
    def _is_transient(self, error: Exception) -> bool:
        """Whether waiting may help."""

    @abstractmethod
    def _explain(self, error: Exception) -> str:
        """An error in one line: which broker, what went wrong, what to do."""

    def take_changes(self) -> Changes:
        """See `Source.take_changes`."""
        with self._marks:  # at once, as one may be lost and come back in between
            changes = Changes(sorted(self._lost), sorted(self._assigned))
            self._lost, self._assigned = set(), set()
        return changes

    def is_ours(self, partition: int) -> bool:
        """See `Source.is_ours`; where no broker answers, nobody knows whose it is by now."""
        with self._marks:
            if partition not in self._ours:
                return False
        try:
            self.end_offset(partition)
        except SourceError:
            return False
        return True

    def start(self, partition: int, place: Place | None) -> int:
        """See `Source.start`. Does nothing for a partition that was lost meanwhile."""
        there = self._topics.partition(partition)
        begin = place.next_offset if place is not None else self._begin(partition)
        with self._marks:
            if partition in self._lost or partition in self._assigned:
                return begin
            self._started.add(partition)
        if not self._seek(there, begin):
            self._started.discard(partition)
        elif not self._held:
            self._resume(there)
        return begin

    def _begin(self, partition: int) -> int:
        """Where to begin in a partition of which nothing was read."""
        there = self._topics.partition(partition)
        is_old = there.partition < self._began_with[there.topic]
        if self._start_at == "latest" and is_old:
            return self.end_offset(partition)
        try:
            return self._first_offsets([there])[there]
        except self.errors as error:
            raise self._no_answer(error) from None

    def hold(self, held: bool) -> None:
        """See `Source.hold`."""
        self._held = held
        change = self._pause if held else self._resume
        with self._marks:
            started = list(self._started)
        for partition in started:
            change(self._topics.partition(partition))

    def notes(self, partition: int) -> Mapping[str, Any]:
        """Nothing: an offset says it all."""
        del partition
        return {}

    def end_offset(self, partition: int) -> int:
        """See `Source.end_offset`.

        Raises
        ------
        SourceError
            If Kafka does not say; SourceAwayError: not within `kafka.request_timeout_s`.
        """
        there = self._topics.partition(partition)
        try:
            return self._end_offsets([there])[there]
        except self.errors as error:
            raise self._no_answer(error) from None

    def part(self, partition: int) -> Part:
        """See `Source.part`."""
        there = self._topics.partition(partition)
        return Part(there.topic, there.partition)

    def partitions_of(self, agent_id: str) -> Sequence[int]:
        """See `Source.partitions_of`; holds where producers key by agent with the default."""
        return [
            self._topics.number(
                kafka_client.partition(topic, partition_for(agent_id, self._count(topic)))
            )
            for topic in self._topics.names
        ]

    def exhausted(self) -> bool:
        """Never: a topic has no end."""
        return False

    def describe(self, partition: int, offset: int) -> str:
        """See `Source.describe`."""
        there = self._topics.partition(partition)
        return f"topic {there.topic}, partition {there.partition}, offset {offset}"

    def _count(self, topic: str) -> int:
        """How many partitions a topic has, or had: the broker may be away, the topic deleted."""
        try:
            self._counts[topic] = self._partitions(topic) or self._counts[topic]
        except self.errors as error:
            log.warning("number of partitions, kept as last told: %s", self._explain(error))
        return self._counts[topic]

    def _no_answer(self, error: Exception) -> SourceError:
        kind = SourceAwayError if self._is_transient(error) else SourceError
        return kind(self._explain(error))

    def _mark_assigned(self, places: Iterable[Partition]) -> None:
        numbers = set(map(self._topics.number, places))
        with self._marks:
            self._assigned |= numbers
            self._ours |= numbers

    def _mark_lost(self, places: Iterable[Partition]) -> None:
        numbers = set(map(self._topics.number, places))
        with self._marks:
            self._started -= numbers
            self._assigned -= numbers
            self._ours -= numbers
            self._lost |= numbers

    def _go_on_after_gap(self, wanted: Mapping[Partition, int]) -> None:
        """Seek past records that Kafka deleted unread, and say how many there were.

        What Kafka has all the same is read on: it was missed where one read before a seek.
        """
        first, end = self._first_offsets(wanted.keys()), self._end_offsets(wanted.keys())
        for place, offset in wanted.items():
            name = f"topic {place.topic} partition {place.partition}"
            if offset > end[place]:
                raise SourceError(
                    f"{name} ends at offset {end[place]}, and was read up to {offset} before: it "
                    "was deleted and made again, or lost records; set source.topic to a new name"
                )
            if offset >= first[place]:
                self._seek(place, offset)
                continue
            count = first[place] - offset
            which = f"{name}: offsets {offset} to {first[place] - 1} ({count})"
            self.gone = Gone(self.gone.records + count, which)
            log.error(
                "%s were deleted by Kafka's retention before they were read; going on at %d",
                *(which, first[place]),
            )
            self._seek(place, first[place])
