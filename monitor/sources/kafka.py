"""Kafka topics, shared out by consumer group.

Rebalances are told on kafka-python's own thread, where nothing may block: there a new partition is
only paused and marked. The polling thread takes the marks, and `start` seeks and resumes. So no
record of a partition is seen before its shard was claimed and loaded.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from monitor import kafka_client
from monitor.config_source import KafkaConfig, SourceConfig
from monitor.kafka_client import KafkaError, OffsetOutOfRangeError, Partition
from monitor.sources import Chunk, Part, Place, SourceError
from monitor.sources.partition import partition_for
from monitor.sources.topics import Topics

MAX_POLL_RECORDS: Final = 2000
FETCH_MAX_WAIT_MS: Final = 20
"""Measured: uneven partitions stall polls for this long; at 500 ms it costs two thirds."""
_RETRY_S: Final = 0.2

log = logging.getLogger(__name__)


class KafkaSource:
    """Implements `monitor.sources.Source`.

    Raises
    ------
    SourceError
        If the broker does not answer within `kafka.request_timeout_s` or refuses us, or the topic
        does not exist.
    """

    def __init__(self, source: SourceConfig, kafka: KafkaConfig) -> None:
        self._topics = Topics(source.read_topics)
        self.name = str(self._topics)
        self._kafka = kafka
        self._start_at = source.start
        self._timeout_ms = kafka.request_timeout_s * 1000
        self._marks = threading.Lock()  # over the three sets: the callbacks run elsewhere
        self._started: set[int] = set()
        self._assigned: set[int] = set()
        self._lost: set[int] = set()
        self._held = False
        try:
            for topic in self._topics.names:
                if not kafka_client.partition_count(kafka, topic):
                    raise SourceError(
                        f"Kafka at {kafka.bootstrap_servers} has no topic {topic!r}: create it "
                        f"(kafka-topics.sh --create --topic {topic} --partitions 4) "
                        "or set source.topic"
                    )
            self._consumer = kafka_client.make_consumer(
                kafka,
                auto_offset_reset="none",  # what is missing must be said, not skipped
                fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
                max_poll_records=MAX_POLL_RECORDS,
            )
        except kafka_client.KafkaClientError as error:
            raise SourceError(str(error)) from None
        self._consumer.subscribe(
            [*self._topics.names],
            listener=kafka_client.make_listener(self._on_assigned, self._on_lost),
        )
        # Loads the metadata: joining without them, the group would have to form twice.
        for topic in self._topics.names:
            self._consumer.partitions_for_topic(topic)

    def poll(self, timeout_s: float) -> list[Chunk]:
        """See `Source.poll`. A broker that is away for a while is waited for."""
        try:
            try:
                polled = self._consumer.poll(timeout_s * 1000)
            except OffsetOutOfRangeError as error:
                self._go_on_after_gap(*error.args)
                return []
        except KafkaError as error:
            reason = self._explain(error)
            if not kafka_client.is_transient(error):
                raise SourceError(reason) from None
            log.warning("%s; trying again", reason)
            time.sleep(min(timeout_s, _RETRY_S))
            return []
        return [
            Chunk(number, records, records[-1].offset + 1)
            for place, records in polled.items()
            if (number := self._topics.number(place)) in self._started
        ]

    def take_assigned(self) -> list[int]:
        """See `Source.take_assigned`."""
        with self._marks:
            taken, self._assigned = sorted(self._assigned), set()
        return taken

    def take_lost(self) -> list[int]:
        """See `Source.take_lost`. One that was lost and came back is in both lists."""
        with self._marks:
            taken, self._lost = sorted(self._lost), set()
        return taken

    def start(self, partition: int, place: Place | None) -> int:
        """See `Source.start`. Does nothing for a partition that was lost meanwhile."""
        there = self._topics.partition(partition)
        begin = place.next_offset if place is not None else self._first_offset(there)
        with self._marks:
            if partition in self._lost or partition in self._assigned:
                return begin
            self._started.add(partition)
        try:
            self._consumer.seek(there, begin)
            if not self._held:
                self._consumer.resume(there)
        except (KeyError, ValueError):  # lost between the check and here
            self._started.discard(partition)
        return begin

    def _first_offset(self, there: Partition) -> int:
        """Where to begin in a partition of which nothing was read."""
        if self._start_at == "latest":
            return self.end_offset(self._topics.number(there))
        try:
            return self._consumer.beginning_offsets([there], self._timeout_ms)[there]
        except KafkaError as error:
            raise SourceError(self._explain(error)) from None

    def hold(self, held: bool) -> None:
        """See `Source.hold`."""
        self._held = held
        change = self._consumer.pause if held else self._consumer.resume
        with self._marks:
            started = list(self._started)
        for partition in started:
            _if_ours(change, self._topics.partition(partition))

    def notes(self, partition: int) -> Mapping[str, Any]:
        """Nothing: an offset says it all."""
        del partition
        return {}

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        """Tell the group's offsets to Kafka, for tools that show lag. Never waits."""
        offsets = {
            self._topics.partition(partition): kafka_client.offset_to_commit(offset)
            for partition, offset in next_offsets.items()
        }
        try:
            self._consumer.commit_async(offsets, callback=self._on_commit)
        except KafkaError as error:
            self._on_commit(offsets, error)

    def end_offset(self, partition: int) -> int:
        """See `Source.end_offset`.

        Raises
        ------
        SourceError
            If Kafka does not say within `kafka.request_timeout_s`.
        """
        there = self._topics.partition(partition)
        try:
            return self._consumer.end_offsets([there], self._timeout_ms)[there]
        except KafkaError as error:
            raise SourceError(self._explain(error)) from None

    def part(self, partition: int) -> Part:
        """See `Source.part`."""
        there = self._topics.partition(partition)
        return Part(there.topic, there.partition)

    def partitions_of(self, agent_id: str) -> Sequence[int]:
        """See `Source.partitions_of`; holds where producers key by agent with the default."""
        return [
            self._topics.number(
                kafka_client.partition(topic, partition_for(agent_id, self._partitions(topic)))
            )
            for topic in self._topics.names
        ]

    def _partitions(self, topic: str) -> int:
        return len(self._consumer.partitions_for_topic(topic))

    def exhausted(self) -> bool:
        """Never: a topic has no end."""
        return False

    def describe(self, partition: int, offset: int) -> str:
        """See `Source.describe`."""
        there = self._topics.partition(partition)
        return f"topic {there.topic}, partition {there.partition}, offset {offset}"

    def close(self) -> None:
        """Leave the group."""
        try:
            self._consumer.close(autocommit=False, timeout_ms=self._timeout_ms)
        except KafkaError as error:
            log.warning("leaving the consumer group: %s", self._explain(error))

    def _on_assigned(self, partitions: Iterable[Partition]) -> None:
        for place in partitions:
            _if_ours(self._consumer.pause, place)
            # Any position will do, as `start` sets the right one: without one, the client would
            # look for a committed offset, and fail where there is none.
            _if_ours(lambda there: self._consumer.seek(there, 0), place)
            with self._marks:
                self._assigned.add(self._topics.number(place))

    def _on_lost(self, partitions: Iterable[Partition]) -> None:
        with self._marks:
            for place in partitions:
                number = self._topics.number(place)
                self._started.discard(number)
                self._assigned.discard(number)
                self._lost.add(number)

    def _on_commit(self, offsets: object, response: object) -> None:
        del offsets
        if isinstance(response, Exception):
            log.warning("offsets not committed (advisory): %s", self._explain(response))

    def _go_on_after_gap(self, wanted: Mapping[Partition, int]) -> None:
        """Seek past records that Kafka deleted unread, and say how many there were."""
        places = list(wanted)
        first = self._consumer.beginning_offsets(places, self._timeout_ms)
        end = self._consumer.end_offsets(places, self._timeout_ms)
        for place, offset in wanted.items():
            name = f"topic {place.topic} partition {place.partition}"
            if offset > end[place]:
                raise SourceError(
                    f"{name} ends at offset {end[place]}, and was read up to {offset} before: it "
                    "was deleted and made again, or lost records; set source.topic to a new name"
                )
            log.error(
                "%s: offsets %d to %d (%d) were deleted by Kafka's retention before they were "
                "read; going on at %d",
                *(name, offset, first[place] - 1, first[place] - offset, first[place]),
            )
            _if_ours(lambda there: self._consumer.seek(there, first[there]), place)

    def _explain(self, error: Exception) -> str:
        return kafka_client.explain(error, self._kafka, f"topic {self.name}")


def _if_ours(change: Callable[[Partition], object], place: Partition) -> None:
    """Change a partition's reading, unless it was lost in this very moment."""
    try:
        change(place)
    except (KeyError, ValueError):
        log.debug("%s is no longer ours", place)
