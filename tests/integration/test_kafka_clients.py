"""kafka-python and confluent-kafka: what one hands out, the other does."""

import time
from typing import Any

import pytest
from kafka import KafkaProducer  # type: ignore[import-untyped]

from tests.kit.broker import Broker
from tests.kit.kafka_member import WAIT_S, Member, has_client, member_config, opened

pytestmark = pytest.mark.service


def test_both_clients_hand_out_the_same_records(kafka: Broker, topic: str) -> None:
    """So decoding, which is the same for both, accepts and refuses the same."""
    has_client("confluent")
    config = member_config(kafka, topic)
    at_ms = int(time.time() * 1000) - 17_000  # older ones would be cleared away
    for number, compression in enumerate((None, "gzip", "lz4", None, "zstd")):
        producer = KafkaProducer(
            bootstrap_servers=kafka.bootstrap_servers,
            compression_type=compression,
            transactional_id=None if number % 2 else f"{topic}-{number}",
        )
        if not number % 2:
            producer.init_transactions()
            producer.begin_transaction()
        for value, key, headers in (
            (b"{}", b"k", [("a", b"1"), ("a", b"2"), ("b", b"")]),
            (None, b"k", []),
            (b"", None, []),
            ("ü\x00".encode() * 50_000, "ü".encode(), []),
        ):
            producer.send(topic, value, key=key, headers=headers, partition=0, timestamp_ms=at_ms)
        if number == 2:  # it is read as if it had not been: an agent did it all the same
            producer.flush()
            producer.abort_transaction()
        elif not number % 2:
            producer.commit_transaction()
        producer.close()
    found: dict[str, list[object]] = {}
    for client in ("kafka-python", "confluent"):
        own = config.model_copy(update={"group_id": f"{topic}-{client}"})
        member = Member(opened(topic, own, client))
        deadline = time.monotonic() + WAIT_S
        while sum(len(chunk.records) for chunk in member.polled) < 20:
            assert time.monotonic() < deadline
            member.step()
        member.source.close()
        found[client] = [
            (one.offset, one.timestamp, one.value, *kept(one))
            for chunk in member.polled
            for one in chunk.records
        ]
    assert found["confluent"] == found["kafka-python"]


def kept(record: Any) -> tuple[bytes | None, list[tuple[str, bytes | None]]]:
    """What only Kafka's records have."""
    return record.key, list(record.headers)
