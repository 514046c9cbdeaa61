"""What only a real Kafka shows: rebalances, records that are gone, brokers that come back."""

import logging
import threading
import time
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition  # type: ignore[import-untyped]

from alerting.notify.contract import stopwatch
from monitor import kafka_client
from monitor.config_source import KafkaConfig
from monitor.durable import durably
from monitor.pulse import Pulse
from monitor.sources import Chunk, Place, SourceAwayError, SourceError
from monitor.sources.group import GroupSource
from monitor.sources.kafka import KafkaSource
from monitor.sources.partition import partition_for
from monitor.store import Store
from tests.conftest import PARTITIONS
from tests.kit.broker import Broker
from tests.kit.kafka_member import WAIT_S, Member, fill, has_client, member_config, opened

pytestmark = pytest.mark.service


@pytest.fixture
def config(kafka: Broker, topic: str) -> KafkaConfig:
    return member_config(kafka, topic)


@pytest.fixture
def producer(kafka: Broker) -> Iterator[KafkaProducer]:
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    yield producer
    producer.close()


@pytest.fixture(params=["kafka-python", "confluent"])
def client(request: pytest.FixtureRequest) -> str:
    """Which library reads."""
    return has_client(request.param)


KAFKA_PYTHON = pytest.mark.parametrize("client", ["kafka-python"], indirect=True)
"""For what looks inside that one."""


@pytest.fixture
def source(topic: str, config: KafkaConfig, client: str) -> Iterator[GroupSource]:
    source = opened(topic, config, client)
    yield source
    source.close()


def test_a_partition_moves_only_with_start_and_from_the_given_place(
    topic: str, config: KafkaConfig, client: str, source: GroupSource, producer: KafkaProducer
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

    second = Member(opened(topic, config, client))
    assigned: set[int] = set()
    while len(first.started) > PARTITIONS / 2 or len(assigned) < PARTITIONS / 2:
        assert time.monotonic() < deadline
        first.step()
        # Committed nothing, `earliest` configured: whatever was read now would be a repeat.
        assert second.source.poll(0.05) == []
        changes = second.source.take_changes()
        assigned = (assigned - set(changes.lost)) | set(changes.assigned)
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


@KAFKA_PYTHON
def test_lost_and_back_between_two_calls_is_both_and_waits_for_a_new_start(
    topic: str, source: GroupSource, producer: KafkaProducer
) -> None:
    member = Member(source)
    deadline = time.monotonic() + WAIT_S
    while len(member.started) < PARTITIONS:
        assert time.monotonic() < deadline
        member.step()
    there = TopicPartition(topic, 2)
    assert isinstance(source, KafkaSource)
    source._on_lost([there])
    source._on_assigned([there])
    source.start(2, None)  # of the earlier assignment: it must not count
    fill(producer, topic, 3)
    chunks: list[Chunk] = []
    while sum(len(chunk.records) for chunk in chunks) < 3 * (PARTITIONS - 1):
        assert time.monotonic() < deadline
        chunks += source.poll(0.05)
    assert 2 not in {chunk.partition for chunk in chunks}
    assert source.take_changes() == ([2], [2])
    source.start(2, Place(1, {}))
    while not (chunks := source.poll(0.05)):
        assert time.monotonic() < deadline
    assert [record.value for record in chunks[0].records] == [b"2/1", b"2/2"]


@pytest.mark.parametrize(("start", "expected"), [("earliest", ["0/0", "0/0"]), ("latest", ["0/0"])])
def test_without_a_place_it_begins_where_the_config_says(
    topic: str,
    config: KafkaConfig,
    client: str,
    producer: KafkaProducer,
    start: str,
    expected: list[str],
) -> None:
    fill(producer, topic, 1, partition=0)
    member = Member(opened(topic, config, client, start))
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
        opened("nope", config, "kafka-python")
    assert kafka_client.partition_count(config, "nope") == 0


def test_records_that_were_deleted_unread_are_counted_loudly(
    kafka: Broker,
    topic: str,
    source: GroupSource,
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


def test_a_place_behind_the_end_is_refused(topic: str, source: GroupSource) -> None:
    member = Member(source)
    deadline = time.monotonic() + WAIT_S
    while len(member.started) < PARTITIONS:
        assert time.monotonic() < deadline
        member.step({1: 500})
    with pytest.raises(SourceError, match=f"{topic} partition 1 ends at offset 0, and was read"):
        source.poll(WAIT_S)


@KAFKA_PYTHON
def test_added_partitions_are_taken_even_when_no_poll_lasts_as_long_as_the_join(
    kafka: Broker, topic: str, source: GroupSource, producer: KafkaProducer
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
    assert source.partitions_of("payroll-01")[0] == partition_for("payroll-01", PARTITIONS + 4)


def test_commits_can_be_seen_from_outside(
    kafka: Broker, topic: str, config: KafkaConfig, source: GroupSource
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


def test_where_to_begin_is_asked_again_while_the_broker_is_away(
    kafka: Broker, source: GroupSource, store: Store
) -> None:
    deadline = time.monotonic() + WAIT_S
    assigned: list[int] = []
    while len(assigned) < PARTITIONS:
        assert time.monotonic() < deadline
        source.poll(0.05)
        assigned += source.take_changes().assigned
    kafka.freeze()
    thaw = threading.Timer(4.0, kafka.thaw)
    try:
        with pytest.raises(SourceAwayError, match="Kafka at"):
            source.start(0, None)
        thaw.start()
        begin = durably(lambda: source.start(0, None), source, store, Pulse(), threading.Event())
        assert begin == 0
    finally:
        kafka.thaw()
        thaw.cancel()


# kafka-python leaves a connection that it gave up, as the broker was frozen, to the collector.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.parametrize("how", ["restart", "freeze"])
def test_a_broker_that_comes_back_is_read_on_without_repeats(
    kafka: Broker, topic: str, source: GroupSource, producer: KafkaProducer, how: str
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
            with stopwatch() as passed_s:
                member.step(member.next_offsets)
                assert passed_s() < 2
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
