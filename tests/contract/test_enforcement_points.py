"""What every enforcement point must do, seen from where it is enforced."""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import pytest
from kafka import KafkaAdminClient  # type: ignore[import-untyped]
from kafka.admin import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]
from pydantic import SecretStr

from alerting.killswitch import Direction, Order
from alerting.ports import EnforcementPoint, RevokeError
from alerting.revoke.kafka_topic import KafkaTopicPoint
from monitor.config import KafkaConfig
from monitor.kafka_client import client_settings
from tests.kit.broker import PASSWORD, USER, Broker
from tests.kit.messages import HOSTILE
from tests.kit.revocations import last_of

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Subject:
    """A point, and what whoever enforces it knows of an agent: `revoked`, `active` or None."""

    point: EnforcementPoint
    state_of: Callable[[str], str | None]


@pytest.fixture(params=[pytest.param("kafka", marks=pytest.mark.service)])
def subject(kafka: Broker) -> Iterator[Subject]:
    topic = f"revocations-{uuid.uuid4().hex[:8]}"
    config = KafkaConfig(bootstrap_servers=kafka.bootstrap_servers)
    point = KafkaTopicPoint(partial(client_settings, config), topic)

    def state_of(agent_id: str) -> str | None:
        last = last_of(kafka.bootstrap_servers, topic, agent_id)
        return None if last is None else str(last["state"])

    yield Subject(point, state_of)
    point.close()


def order(direction: Direction, order_seq: int, agent_id: str = "a", reason: str = "why") -> Order:
    return Order(
        trip_id="t1",
        agent_id=agent_id,
        direction=direction,
        order_seq=order_seq,
        reason=reason,
        ordered_by="os:alice",
        ordered_at=datetime.now(UTC),
    )


def test_what_it_confirmed_is_enforced(subject: Subject) -> None:
    subject.point.apply(order("revoke", 1), TIMEOUT_S)
    assert subject.state_of("a") == "revoked"
    subject.point.apply(order("revoke", 1), TIMEOUT_S)  # a repeat changes nothing
    assert subject.state_of("a") == "revoked"
    subject.point.apply(order("restore", 2), TIMEOUT_S)
    assert subject.state_of("a") == "active"
    assert subject.state_of("b") is None


def test_an_outdated_order_is_refused(subject: Subject) -> None:
    subject.point.apply(order("restore", 2), TIMEOUT_S)
    with pytest.raises(RevokeError, match="outdated"):
        subject.point.apply(order("revoke", 1), TIMEOUT_S)
    assert subject.state_of("a") == "active"


def test_hostile_names_are_names(subject: Subject) -> None:
    texts = [text for text in HOSTILE if text and len(text) < 2000 and "\ud800" not in text]
    for text in texts:
        subject.point.apply(order("revoke", 1, agent_id=text, reason=text), TIMEOUT_S)
    subject.point.apply(order("restore", 2, agent_id=texts[0]), TIMEOUT_S)
    assert subject.state_of(texts[0]) == "active"
    assert subject.state_of(texts[1]) == subject.state_of(texts[-1]) == "revoked"


@pytest.mark.service
def test_the_topic_is_made_compacted(kafka: Broker) -> None:
    topic = f"revocations-{uuid.uuid4().hex[:8]}"
    config = KafkaConfig(bootstrap_servers=kafka.bootstrap_servers)
    KafkaTopicPoint(partial(client_settings, config), topic).apply(order("revoke", 1), TIMEOUT_S)
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    try:
        found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        admin.close()
    assert "compact" in str(found)


@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)
def test_nobody_there_is_said_in_time() -> None:
    config = KafkaConfig(bootstrap_servers="127.0.0.1:1")
    point = KafkaTopicPoint(partial(client_settings, config), "revocations")
    started = time.monotonic()
    with pytest.raises(RevokeError, match=r"127\.0\.0\.1:1.* did not confirm within 0\.5 s"):
        point.apply(order("revoke", 1), 0.5)
    assert time.monotonic() - started < 2


@pytest.mark.service
def test_a_wrong_password_is_said_without_it(kafka: Broker) -> None:
    config = KafkaConfig(
        bootstrap_servers=kafka.sasl_bootstrap_servers,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_username=USER,
        sasl_password=SecretStr("wrong-" + PASSWORD),
    )
    point = KafkaTopicPoint(partial(client_settings, config), "revocations")
    with pytest.raises(RevokeError) as refused:
        point.apply(order("revoke", 1), 2.0)
    assert PASSWORD not in str(refused.value)
