"""Members of a group: some have a name of their own, and rebalances wait for nothing."""

import threading
import time

import pytest

from monitor.config_source import KafkaConfig
from monitor.sources import SourceError
from monitor.sources.confluent import ConfluentSource
from monitor.sources.group import GroupSource
from monitor.sources.kafka import KafkaSource
from tests.conftest import PARTITIONS
from tests.kit.broker import Broker
from tests.kit.kafka_member import WAIT_S, Member, has_client, member_config, opened

pytestmark = pytest.mark.service


@pytest.fixture(params=["kafka-python", "confluent"])
def client(request: pytest.FixtureRequest) -> str:
    """Which library reads."""
    return has_client(request.param)


@pytest.fixture
def config(kafka: Broker, topic: str) -> KafkaConfig:
    return member_config(kafka, topic)


def named(config: KafkaConfig, name: str) -> KafkaConfig:
    return config.model_copy(update={"group_instance_id": name, "session_timeout_s": 10.0})


def test_a_member_with_a_name_restarts_and_nobody_else_notices(
    topic: str, config: KafkaConfig, client: str
) -> None:
    first = Member(opened(topic, named(config, "a"), client))
    second = Member(opened(topic, named(config, "b"), client))
    deadline = time.monotonic() + WAIT_S
    while not len(first.started) == len(second.started) == PARTITIONS / 2:
        assert time.monotonic() < deadline
        first.step()
        second.step()
    before = set(second.started)
    first.source.close()
    again = Member(opened(topic, named(config, "a"), client))
    while again.started != first.started:
        assert time.monotonic() < deadline
        again.step()
        assert second.source.poll(0.05) == []
        assert second.source.take_changes() == ([], [])
    assert second.started == before
    again.source.close()
    second.source.close()


def test_two_of_one_name_are_not_borne_and_the_first_is_told_why(
    topic: str, config: KafkaConfig, client: str
) -> None:
    first = Member(opened(topic, named(config, "a"), client))
    deadline = time.monotonic() + WAIT_S
    while len(first.started) < PARTITIONS:
        assert time.monotonic() < deadline
        first.step()
    second = Member(opened(topic, named(config, "a"), client))

    def both() -> None:
        while True:
            assert time.monotonic() < deadline
            second.step()
            first.step()
            first.source.commit({0: 0})  # as the worker does now and then

    with pytest.raises(SourceError, match=r"give each its own kafka\.group_instance_id"):
        both()
    first.source.close()
    second.source.close()


def test_a_rebalance_is_told_and_nothing_waits_for_the_broker(
    kafka: Broker, topic: str, config: KafkaConfig, client: str
) -> None:
    patient = config.model_copy(update={"request_timeout_s": WAIT_S * 2})
    member = Member(opened(topic, patient, client))
    deadline = time.monotonic() + WAIT_S
    while len(member.started) < PARTITIONS:
        assert time.monotonic() < deadline
        member.step()
    source = member.source
    assert isinstance(source, GroupSource)
    places = [source._topics.partition(number) for number in range(PARTITIONS)]

    def rebalance() -> None:
        if isinstance(source, ConfluentSource):  # as its client does
            its_own = [source._place(one) for one in places]
            source._on_lost(source._consumer, its_own)
            source._consumer.incremental_unassign(its_own)
            source._on_assigned(source._consumer, its_own)
        elif isinstance(source, KafkaSource):
            source._on_lost(places)
            source._on_assigned(places)

    kafka.freeze()
    try:
        told = threading.Thread(target=rebalance, daemon=True)
        told.start()
        told.join(WAIT_S)
        assert not told.is_alive(), "it asks the broker, and waits"
        assert source.take_changes() == (list(range(PARTITIONS)), list(range(PARTITIONS)))
    finally:
        kafka.thaw()
    source.close()


def test_a_join_that_ends_between_two_polls_is_a_join(
    topic: str, config: KafkaConfig, client: str
) -> None:
    # As under a worker that has much to do: the answer never comes while one polls.
    members = [Member(opened(topic, config, client)) for _ in range(2)]
    deadline = time.monotonic() + WAIT_S
    while [len(member.started) for member in members] != [PARTITIONS / 2] * 2:
        assert time.monotonic() < deadline
        for member in members:
            member.step(poll_s=0.001)
        time.sleep(0.3)
    for member in members:
        member.source.close()
