"""What only a real Kafka shows: rebalances, refusals, brokers that go and come back."""

import logging
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition  # type: ignore[import-untyped]
from kafka.admin import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]
from pydantic import SecretStr

from monitor import kafka_client
from monitor.config import KafkaConfig, SourceConfig
from monitor.kafka_client import KafkaClientError
from monitor.sources import Chunk, Place, SourceError
from monitor.sources.kafka import KafkaSource
from monitor.sources.partition import partition_for
from tests.conftest import PARTITIONS
from tests.kit.broker import PASSWORD, USER, Broker

pytestmark = pytest.mark.service

WAIT_S = 30.0


@pytest.fixture
def config(kafka: Broker, topic: str) -> KafkaConfig:
    return KafkaConfig(
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=topic,
        session_timeout_s=1,
        request_timeout_s=3,
    )


@pytest.fixture
def producer(kafka: Broker) -> Iterator[KafkaProducer]:
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    yield producer
    producer.close()


@pytest.fixture
def source(topic: str, config: KafkaConfig) -> Iterator[KafkaSource]:
    source = KafkaSource(SourceConfig(kind="kafka", topic=topic), config)
    yield source
    source.close()


def fill(producer: KafkaProducer, topic: str, count: int, partition: int | None = None) -> None:
    """`count` records for each partition, or for the one."""
    for number in range(count):
        for each in range(PARTITIONS) if partition is None else (partition,):
            producer.send(topic, f"{each}/{number}".encode(), partition=each)
    producer.flush()


class Member:
    """Does with a source what the worker does, and checks that it gets only what it started."""

    def __init__(self, source: KafkaSource) -> None:
        self.source = source
        self.next_offsets: dict[int, int] = {}
        self.started: set[int] = set()
        self.polled: list[Chunk] = []

    def step(self, places: dict[int, int] | None = None, poll_s: float = 0.05) -> None:
        chunks = self.source.poll(poll_s)
        self.started -= set(self.source.take_lost())
        for chunk in chunks:
            if chunk.partition in self.started:
                self.polled.append(chunk)
                self.next_offsets[chunk.partition] = chunk.next_offset
        for partition in self.source.take_assigned():
            assert partition not in self.started
            offset = (places or {}).get(partition)
            self.source.start(partition, None if offset is None else Place(offset, {}))
            self.started.add(partition)

    def records(self) -> Counter[str]:
        return Counter(
            (record.value or b"").decode() for chunk in self.polled for record in chunk.records
        )


def test_a_partition_moves_only_with_start_and_from_the_given_place(
    topic: str, config: KafkaConfig, source: KafkaSource, producer: KafkaProducer
) -> None:
    first = Member(source)
    deadline = time.monotonic() + WAIT_S
    while len(first.started) < PARTITIONS:
        assert time.monotonic() < deadline
        first.step()
    fill(producer, topic, 100)
    while sum(first.records().values()) < 100 * PARTITIONS:
        assert time.monotonic() < deadline
        first.step()

    second = Member(KafkaSource(SourceConfig(kind="kafka", topic=topic), config))
    assigned: set[int] = set()
    while len(first.started) > PARTITIONS / 2 or len(assigned) < PARTITIONS / 2:
        assert time.monotonic() < deadline
        first.step()
        # Committed nothing, `earliest` configured: whatever was read now would be a repeat.
        assert second.source.poll(0.05) == []
        assigned |= set(second.source.take_assigned())
        assigned -= set(second.source.take_lost())
    fill(producer, topic, 10)
    for _ in range(5):
        assert second.source.poll(0.05) == []
    for partition in assigned:
        second.source.start(partition, Place(first.next_offsets[partition], {}))
        second.started.add(partition)
    while sum((first.records() + second.records()).values()) < 110 * PARTITIONS:
        assert time.monotonic() < deadline
        first.step()
        second.step()
    assert {chunk.partition for chunk in second.polled} == assigned
    assert set((first.records() + second.records()).values()) > {1}  # 0 to 9 were written twice
    assert sum(second.records().values()) == 10 * len(assigned)

    second.source.close()
    while len(first.started) < PARTITIONS:
        assert time.monotonic() < deadline
        first.step({**first.next_offsets, **second.next_offsets})
    fill(producer, topic, 1)
    read = sum(first.records().values())
    while sum(first.records().values()) < read + PARTITIONS:
        assert time.monotonic() < deadline
        first.step()
    assert sum((first.records() + second.records()).values()) == 111 * PARTITIONS


def test_lost_and_back_between_two_calls_is_both_and_waits_for_a_new_start(
    topic: str, source: KafkaSource, producer: KafkaProducer
) -> None:
    member = Member(source)
    deadline = time.monotonic() + WAIT_S
    while len(member.started) < PARTITIONS:
        assert time.monotonic() < deadline
        member.step()
    there = TopicPartition(topic, 2)
    source._on_lost([there])
    source._on_assigned([there])
    source.start(2, None)  # of the earlier assignment: it must not count
    fill(producer, topic, 3)
    chunks: list[Chunk] = []
    while sum(len(chunk.records) for chunk in chunks) < 3 * (PARTITIONS - 1):
        assert time.monotonic() < deadline
        chunks += source.poll(0.05)
    assert 2 not in {chunk.partition for chunk in chunks}
    assert source.take_lost() == [2]
    assert source.take_assigned() == [2]
    source.start(2, Place(1, {}))
    while not (chunks := source.poll(0.05)):
        assert time.monotonic() < deadline
    assert [record.value for record in chunks[0].records] == [b"2/1", b"2/2"]


@pytest.mark.parametrize(("start", "expected"), [("earliest", ["0/0", "0/0"]), ("latest", ["0/0"])])
def test_without_a_place_it_begins_where_the_config_says(
    topic: str, config: KafkaConfig, producer: KafkaProducer, start: str, expected: list[str]
) -> None:
    fill(producer, topic, 1, partition=0)
    settings = SourceConfig.model_validate({"kind": "kafka", "topic": topic, "start": start})
    member = Member(KafkaSource(settings, config))
    deadline = time.monotonic() + WAIT_S
    while len(member.started) < PARTITIONS:
        assert time.monotonic() < deadline
        member.step()
    for _ in range(5):
        member.step()
    fill(producer, topic, 1, partition=0)
    while sum(member.records().values()) < len(expected):
        assert time.monotonic() < deadline
        member.step()
    member.step()
    assert list(member.records().elements()) == expected
    member.source.close()


def test_a_missing_topic_is_named_and_not_created(config: KafkaConfig) -> None:
    with pytest.raises(SourceError, match=r"127.0.0.1:\d+ has no topic 'nope': create it"):
        KafkaSource(SourceConfig(kind="kafka", topic="nope"), config)
    assert kafka_client.partition_count(config, "nope") == 0


def sasl(broker: Broker, config: KafkaConfig, password: str) -> KafkaConfig:
    return config.model_copy(
        update={
            "bootstrap_servers": broker.sasl_bootstrap_servers,
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "PLAIN",
            "sasl_username": USER,
            "sasl_password": SecretStr(password),
        }
    )


def test_a_wrong_password_is_said_without_the_password(
    kafka: Broker, topic: str, config: KafkaConfig
) -> None:
    wrong = sasl(kafka, config, "wr0ng-password")
    with pytest.raises(SourceError, match=f"refused the password of '{USER}'") as caught:
        KafkaSource(SourceConfig(kind="kafka", topic=topic), wrong)
    assert "wr0ng" not in str(caught.value)
    assert "\n" not in str(caught.value)
    KafkaSource(SourceConfig(kind="kafka", topic=topic), sasl(kafka, config, PASSWORD)).close()


def test_a_password_that_is_not_set_is_asked_for(topic: str, config: KafkaConfig) -> None:
    unset = config.model_copy(update={"security_protocol": "SASL_SSL"})
    with pytest.raises(SourceError, match="TRIPSWITCH_KAFKA__SASL_PASSWORD"):
        KafkaSource(SourceConfig(kind="kafka", topic=topic), unset)


def test_a_missing_certificate_is_named(topic: str, config: KafkaConfig) -> None:
    tls = config.model_copy(update={"security_protocol": "SSL", "ssl_cafile": "/nowhere/ca.pem"})
    with pytest.raises(SourceError, match=r"/nowhere/ca\.pem.*No such file"):
        KafkaSource(SourceConfig(kind="kafka", topic=topic), tls)


def test_a_broker_that_does_not_answer_is_given_up_in_time(config: KafkaConfig) -> None:
    nobody = config.model_copy(update={"bootstrap_servers": "127.0.0.1:1", "request_timeout_s": 1})
    began_s = time.monotonic()
    with pytest.raises(SourceError, match=r"127.0.0.1:1 did not answer within 1 s"):
        KafkaSource(SourceConfig(kind="kafka", topic="any"), nobody)
    assert time.monotonic() - began_s < 5


def test_records_that_were_deleted_unread_are_counted_loudly(
    kafka: Broker,
    topic: str,
    source: KafkaSource,
    producer: KafkaProducer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fill(producer, topic, 10, partition=0)
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    admin.delete_records({TopicPartition(topic, 0): 7})
    admin.close()
    member = Member(source)
    deadline = time.monotonic() + WAIT_S
    with caplog.at_level(logging.ERROR, "monitor"):
        while sum(member.records().values()) < 3:
            assert time.monotonic() < deadline
            member.step({0: 2})
    assert list(member.records()) == ["0/7", "0/8", "0/9"]
    assert f"topic {topic} partition 0: offsets 2 to 6 (5) were deleted" in caplog.text


def test_a_place_behind_the_end_is_refused(topic: str, source: KafkaSource) -> None:
    member = Member(source)
    deadline = time.monotonic() + WAIT_S
    while len(member.started) < PARTITIONS:
        assert time.monotonic() < deadline
        member.step({1: 500})
    with pytest.raises(SourceError, match=f"{topic} partition 1 ends at offset 0, and was read"):
        source.poll(WAIT_S)


def test_added_partitions_are_taken_even_when_no_poll_lasts_as_long_as_the_join(
    kafka: Broker, topic: str, source: KafkaSource, producer: KafkaProducer
) -> None:
    member = Member(source)
    deadline = time.monotonic() + WAIT_S
    while len(member.started) < PARTITIONS:
        assert time.monotonic() < deadline
        member.step()
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    for total in range(PARTITIONS + 1, PARTITIONS + 5):
        admin.create_partitions({topic: total})
        while total - 1 not in member.started:
            assert time.monotonic() < deadline
            source._consumer._cluster.request_update()  # type: ignore[attr-defined]
            for _ in range(50):
                member.step(poll_s=0.001)
    admin.close()
    assert source.partition_of("payroll-01") == partition_for("payroll-01", PARTITIONS + 4)


def test_commits_can_be_seen_from_outside(
    kafka: Broker, topic: str, config: KafkaConfig, source: KafkaSource
) -> None:
    member = Member(source)
    deadline = time.monotonic() + WAIT_S
    while len(member.started) < PARTITIONS:
        assert time.monotonic() < deadline
        member.step()
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    there = TopicPartition(topic, 1)
    while True:
        source.commit({0: 3, 1: 4})  # advisory: while members come and go one may fail
        member.step()
        offsets = admin.list_group_offsets([config.group_id])[config.group_id]
        if there in offsets:
            break
        assert time.monotonic() < deadline
    admin.close()
    assert offsets[there].offset == 4


@pytest.mark.parametrize("how", ["restart", "freeze"])
def test_a_broker_that_comes_back_is_read_on_without_repeats(
    kafka: Broker, topic: str, source: KafkaSource, producer: KafkaProducer, how: str
) -> None:
    member = Member(source)
    deadline = time.monotonic() + 2 * WAIT_S
    while len(member.started) < PARTITIONS:
        assert time.monotonic() < deadline
        member.step()
    fill(producer, topic, 1)
    while sum(member.records().values()) < PARTITIONS:
        assert time.monotonic() < deadline
        member.step()
    if how == "restart":
        kafka.kill()
    else:
        kafka.freeze()
    try:
        began_s = time.monotonic()
        while time.monotonic() < began_s + 4:  # longer than the session and the request limit
            source.commit(member.next_offsets)
            polled_s = time.monotonic()
            member.step(member.next_offsets)
            assert time.monotonic() - polled_s < 2
    finally:
        if how == "restart":
            kafka.start()
        else:
            kafka.thaw()
    fill(producer, topic, 2)
    while sum(member.records().values()) < 3 * PARTITIONS:
        assert time.monotonic() < deadline
        member.step(member.next_offsets)
    for _ in range(10):
        member.step(member.next_offsets)
    assert sum(member.records().values()) == 3 * PARTITIONS


def test_ensure_topic_makes_it_once_as_asked(kafka: Broker, config: KafkaConfig) -> None:
    name = f"{config.group_id}-own"
    kafka_client.ensure_topic(name, 2, config, compacted=True)
    kafka_client.ensure_topic(name, 5, config, compacted=False)
    assert kafka_client.partition_count(config, name) == 2
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    admin.close()
    assert described["topic"][name]["cleanup.policy"]["value"] == "compact"


def test_a_name_that_no_topic_can_have_is_said(config: KafkaConfig) -> None:
    with pytest.raises(KafkaClientError, match="topic no such name"):
        kafka_client.ensure_topic("no such name", 1, config, compacted=False)
