"""What a gateway knows that follows the revocations topic."""

import json
from typing import Any

from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]
from kafka.errors import MetadataEmptyBrokerList  # type: ignore[import-untyped]
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed


def read_topic(bootstrap_servers: str, topic: str) -> list[dict[str, Any]]:
    """Every record of the topic by now, with its key, oldest first within a partition."""
    found = read_records(bootstrap_servers, topic)
    return [{**value, "key": key} for key, value in found]


@retry(
    retry=retry_if_exception_type(MetadataEmptyBrokerList),  # a busy broker, for a moment
    wait=wait_fixed(0.2),
    stop=stop_after_delay(30),
    reraise=True,
)
def read_records(bootstrap_servers: str, topic: str) -> list[tuple[str, dict[str, Any]]]:
    """Key and value of every record of the topic by now, oldest first within a partition."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest", group_id=None
    )
    records: list[tuple[str, dict[str, Any]]] = []
    try:
        numbers = consumer.partitions_for_topic(topic) or ()
        partitions = [TopicPartition(topic, number) for number in numbers]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            for found in consumer.poll(timeout_ms=100).values():
                records += [(r.key.decode(), json.loads(r.value)) for r in found]
    finally:
        consumer.close()
    return records


def last_of(bootstrap_servers: str, topic: str, agent_id: str) -> dict[str, Any] | None:
    """The record that compaction would keep."""
    found = [r for r in read_topic(bootstrap_servers, topic) if r["key"] == agent_id]
    return found[-1] if found else None
