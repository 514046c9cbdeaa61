"""Kafka topics, read by kafka-python, which tells rebalances on a thread of its own."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from monitor import kafka_client
from monitor.config_source import KafkaConfig, SourceConfig
from monitor.kafka_client import KafkaError, OffsetOutOfRangeError, Partition
from monitor.sources import Chunk, SourceError
from monitor.sources.group import GroupSource

MAX_POLL_RECORDS: Final = 2000
FETCH_MAX_WAIT_MS: Final = 20
"""Measured: uneven partitions stall polls for this long; at 500 ms it costs two thirds."""
_RETRY_S: Final = 0.2

log = logging.getLogger(__name__)


class KafkaSource(GroupSource):
    """Implements `monitor.sources.Source`.

    Raises
    ------
    SourceError
        As `GroupSource` does.
    """

    errors = KafkaError

    def __init__(self, source: SourceConfig, kafka: KafkaConfig) -> None:
        super().__init__(source, kafka)
        self._timeout_ms = kafka.request_timeout_s * 1000
        try:
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
            if not self._is_transient(error):
                raise SourceError(reason) from None
            log.warning("%s; trying again", reason)
            time.sleep(min(timeout_s, _RETRY_S))
            return []
        return [
            Chunk(number, records, records[-1].offset + 1)
            for place, records in polled.items()
            if (number := self._topics.number(place)) in self._started
        ]

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

    def close(self) -> None:
        """Leave the group."""
        try:
            self._consumer.close(autocommit=False, timeout_ms=self._timeout_ms)
        except KafkaError as error:
            log.warning("leaving the consumer group: %s", self._explain(error))

    def _on_assigned(self, partitions: Iterable[Partition]) -> None:
        for place in partitions:
            self._pause(place)
            # Any position will do, as `start` sets the right one: without one, the client would
            # look for a committed offset, and fail where there is none.
            self._seek(place, 0)
            self._mark_assigned([place])

    def _on_lost(self, partitions: Iterable[Partition]) -> None:
        self._mark_lost(partitions)

    def _on_commit(self, offsets: object, response: object) -> None:
        del offsets
        if isinstance(response, Exception):
            log.warning("offsets not committed (advisory): %s", self._explain(response))

    def _seek(self, there: Partition, offset: int) -> bool:
        return _if_ours(lambda place: self._consumer.seek(place, offset), there)

    def _pause(self, there: Partition) -> None:
        _if_ours(self._consumer.pause, there)

    def _resume(self, there: Partition) -> None:
        _if_ours(self._consumer.resume, there)

    def _first_offsets(self, places: Collection[Partition]) -> Mapping[Partition, int]:
        return self._consumer.beginning_offsets(list(places), self._timeout_ms)

    def _end_offsets(self, places: Collection[Partition]) -> Mapping[Partition, int]:
        return self._consumer.end_offsets(list(places), self._timeout_ms)

    def _partitions(self, topic: str) -> int:
        # `partitions_for_topic` would wait for a topic that was deleted, for as long as it takes.
        known = self._consumer._cluster._partitions  # type: ignore[attr-defined] # noqa: SLF001
        return len(known.get(topic, ()))

    def _is_transient(self, error: Exception) -> bool:
        return kafka_client.is_transient(error)

    def _explain(self, error: Exception) -> str:
        return kafka_client.explain(error, self._kafka, f"topic {self.name}")


def _if_ours(change: Callable[[Partition], object], place: Partition) -> bool:
    """Change a partition's reading, unless it was lost in this very moment."""
    try:
        change(place)
    except (KeyError, ValueError):
        log.debug("%s is no longer ours", place)
        return False
    return True
