"""Dead letters in a real Kafka."""

from collections.abc import Iterator
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]

from monitor.config import Config
from monitor.config_source import KafkaConfig, SourceConfig
from monitor.dead_letter import (
    CUT_TO_BYTES,
    DeadLetter,
    DeadLetterError,
    KafkaDeadLetters,
    open_dead_letters,
)
from monitor.kafka_client import partition_count
from tests.kit.broker import Broker, create_topic
from tests.kit.waiting import until

pytestmark = pytest.mark.service


@pytest.fixture
def config(kafka: Broker, topic: str) -> KafkaConfig:
    return KafkaConfig(
        bootstrap_servers=kafka.bootstrap_servers,
        dead_letter_topic=f"{topic}-dead",
        request_timeout_s=20,
    )


@pytest.fixture
def letters(config: KafkaConfig) -> Iterator[KafkaDeadLetters]:
    letters = KafkaDeadLetters(config)
    yield letters
    letters.close()


def letter(offset: int, raw: bytes | None = b"{") -> DeadLetter:
    return DeadLetter("agent-actions", 3, offset, "record: kein JSON – nein", raw, 1000.5)


def kept(config: KafkaConfig) -> list[Any]:
    consumer = KafkaConsumer(bootstrap_servers=config.bootstrap_servers)
    there = TopicPartition(config.dead_letter_topic, 0)
    consumer.assign([there])
    consumer.seek_to_beginning(there)
    end = consumer.end_offsets([there])[there]
    records: list[Any] = []
    while len(records) < end:
        records += consumer.poll(1000).get(there, [])
    consumer.close()
    return records


def test_the_bytes_are_kept_with_reason_and_place(
    config: KafkaConfig, letters: KafkaDeadLetters
) -> None:
    assert partition_count(config, config.dead_letter_topic) == 1
    letters.put(letter(17, b"\xff\x00 {"))
    letters.put(letter(18, None))
    letters.flush()
    letters.flush()
    first, second = kept(config)
    assert (first.key, first.value) == (b"agent-actions/3/17", b"\xff\x00 {")
    assert dict(first.headers) == {
        "kind": b"malformed",
        "reason": "record: kein JSON – nein".encode(),
        "source": b"agent-actions",
        "partition": b"3",
        "offset": b"17",
        "at": b"1000.5",
        "bytes": b"4",
    }
    assert second.value is None


def test_a_record_of_megabytes_is_kept_whole(
    config: KafkaConfig, letters: KafkaDeadLetters
) -> None:
    large = b"x" * 3_000_000
    letters.put(letter(1, large))
    letters.flush()
    (record,) = kept(config)
    assert record.value == large


def test_what_is_too_large_for_a_topic_of_others_is_cut_and_says_so(
    kafka: Broker, topic: str, config: KafkaConfig
) -> None:
    config = config.model_copy(update={"dead_letter_topic": create_topic(kafka, 1)})
    letters = KafkaDeadLetters(config)
    large = b"x" * 3_000_000
    letters.put(letter(1, large))
    letters.put(letter(2))
    letters.flush()
    letters.put(letter(3))
    letters.flush()
    letters.close()
    found = {record.key: record for record in kept(config)}
    cut = found[b"agent-actions/3/1"]
    assert cut.value == large[:CUT_TO_BYTES]
    assert dict(cut.headers)["bytes"] == b"3000000"
    assert found[b"agent-actions/3/2"].value == found[b"agent-actions/3/3"].value == b"{"


def test_while_the_broker_is_away_they_wait(kafka: Broker, config: KafkaConfig) -> None:
    letters = KafkaDeadLetters(config.model_copy(update={"request_timeout_s": 2}))
    letters.put(letter(1))
    until(lambda: flushes(letters))
    kafka.kill()
    try:
        letters.put(letter(2))
        with pytest.raises(DeadLetterError, match="refused records wait in memory"):
            letters.flush()
        with pytest.raises(DeadLetterError, match=r"127.0.0.1:\d+ did not answer"):
            letters.flush()
    finally:
        kafka.start()
    letters.put(letter(3))
    until(lambda: flushes(letters))
    letters.close()
    keys = [record.key for record in kept(config)]
    assert sorted(set(keys)) == [b"agent-actions/3/1", b"agent-actions/3/2", b"agent-actions/3/3"]


def flushes(letters: KafkaDeadLetters) -> bool:
    """Whether the broker takes them within the time limit."""
    try:
        letters.flush()
    except DeadLetterError:
        return False
    return True


def test_a_broker_that_is_away_at_the_start_is_said(config: KafkaConfig) -> None:
    nobody = config.model_copy(update={"bootstrap_servers": "127.0.0.1:1", "request_timeout_s": 1})
    with pytest.raises(DeadLetterError, match=r"dead letter: Kafka at 127.0.0.1:1 did not answer"):
        open_dead_letters(Config(source=SourceConfig(kind="kafka"), kafka=nobody))
