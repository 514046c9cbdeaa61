"""What a broker does not say, or says of a read that is over."""

import time
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition  # type: ignore[import-untyped]

from alerting.notify.contract import stopwatch
from monitor.sources.confluent import ConfluentSource
from monitor.sources.group import GroupSource
from monitor.sources.partition import partition_for
from tests.conftest import PARTITIONS
from tests.kit.broker import Broker
from tests.kit.kafka_member import WAIT_S, Member, fill, has_client, member_config, opened

pytestmark = pytest.mark.service

AGENT = "payroll-01"
HOME = partition_for(AGENT, PARTITIONS)


@pytest.fixture(params=["kafka-python", "confluent"])
def source(kafka: Broker, topic: str, request: pytest.FixtureRequest) -> Iterator[GroupSource]:
    source = opened(topic, member_config(kafka, topic), has_client(request.param))
    yield source
    source.close()


def joined(source: GroupSource) -> Member:
    member = Member(source)
    deadline = time.monotonic() + WAIT_S
    while len(member.started) < PARTITIONS:
        assert time.monotonic() < deadline
        member.step()
    return member


def test_while_the_broker_is_away_a_topic_has_the_partitions_that_it_had(
    kafka: Broker, source: GroupSource
) -> None:
    joined(source)
    if isinstance(source, ConfluentSource):
        source._on_assigned(source._consumer, [])
    kafka.freeze()
    try:
        with stopwatch() as passed_s:
            for _ in range(100):
                assert source.partitions_of(AGENT) == [HOME]
            assert passed_s() < 2 * source._kafka.request_timeout_s, "it is asked once"
    finally:
        kafka.thaw()


def test_a_topic_that_was_deleted_has_the_partitions_that_it_had(
    kafka: Broker, topic: str, source: GroupSource
) -> None:
    member = joined(source)
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    admin.delete_topics([topic])
    admin.close()
    deadline = time.monotonic() + WAIT_S
    while _knows(source, topic):
        assert time.monotonic() < deadline
        member.step()
    with stopwatch() as passed_s:
        assert source.partitions_of(AGENT) == [HOME]
        assert passed_s() < source._kafka.request_timeout_s


def _knows(source: GroupSource, topic: str) -> bool:
    """Whether its client still knows the topic."""
    if isinstance(source, ConfluentSource):
        source._ask_at_s.clear()
    return source._partitions(topic) > 0


def test_what_kafka_has_all_the_same_is_read_on_and_not_all_of_it_again(
    kafka: Broker, topic: str, source: GroupSource
) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    member = joined(source)
    fill(producer, topic, 10, partition=0)
    producer.close()
    deadline = time.monotonic() + WAIT_S
    while sum(member.records().values()) < 10:
        assert time.monotonic() < deadline
        member.step()
    source._go_on_after_gap({TopicPartition(topic, 0): 7})
    while sum(member.records().values()) < 13:
        assert time.monotonic() < deadline
        member.step()
    assert [number for number, count in member.records().items() if count > 1] == [
        "0/7",
        "0/8",
        "0/9",
    ]
    assert source.gone.records == 0
