"""`doctor` against a real broker with rights, and against a PostgreSQL."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer  # type: ignore[import-untyped]
from kafka.admin import (  # type: ignore[import-untyped]
    ACL,
    ACLOperation,
    ACLPermissionType,
    ResourcePattern,
    ResourceType,
)
from pydantic import SecretStr

from monitor.checkup.kafka import check_kafka
from monitor.checkup.sample import check_sample
from monitor.checkup.store import check_store
from monitor.checkup.verdict import Verdict
from monitor.config import Config, StoreConfig
from monitor.config_source import KafkaConfig, SourceConfig
from monitor.sources.partition import partition_for
from tests.kit.broker import PASSWORD, USER, Broker, create_topic
from tests.kit.events import raw_event
from tests.kit.postgres import Postgres

pytestmark = pytest.mark.service


@pytest.fixture
def admin(kafka: Broker) -> Iterator[Any]:
    client = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    yield client
    client.close()


def named(verdicts: Iterator[Verdict]) -> dict[str, list[Verdict]]:
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.about, []).append(verdict)
    return found


def config(kafka: Broker, topic: str, **settings: Any) -> Config:
    return Config(
        source=SourceConfig(kind="kafka", topic=topic),
        kafka=KafkaConfig(
            bootstrap_servers=kafka.bootstrap_servers,
            group_id=topic,
            request_timeout_s=10,
            dead_letter_topic=f"{topic}-dead",
            revocations_topic=f"{topic}-revocations",
            audit_topic=f"{topic}-audit",
        ).model_copy(update=settings),
    )


def test_topics_and_their_settings_are_looked_at(kafka: Broker) -> None:
    settings = {"retention.ms": "3600000", "cleanup.policy": "compact,delete"}
    topic = create_topic(kafka, 3, **settings)
    create_topic(kafka, 1, f"{topic}-revocations")
    create_topic(kafka, 1, f"{topic}-audit", **{"cleanup.policy": "delete", "retention.ms": "9"})
    told = named(check_kafka(config(kafka, topic)))
    texts = " ".join(one.text for one in told[f"topic {topic}"])
    assert "3 partitions" in texts
    assert "is compacted" in texts
    assert "keeps records for 1 h" in texts
    assert "producers' own timestamps" in texts
    (revocations,) = told[f"topic {topic}-revocations"]
    assert (revocations.state, revocations.text) == ("failed", "has cleanup.policy=delete")
    assert "forgets the published heads" in told[f"topic {topic}-audit"][-1].text
    assert told[f"topic {topic}-dead"][0].state == "warning"
    assert told[f"group {topic}"][0].state == "ok", told


def test_a_topic_that_is_not_there_and_a_broker_that_is_not(kafka: Broker) -> None:
    told = named(check_kafka(config(kafka, "no-such-topic")))
    assert "does not exist" in told["topic no-such-topic"][0].text
    away = config(kafka, "t", bootstrap_servers="127.0.0.1:1", request_timeout_s=0.5)
    (only,) = check_kafka(away)
    assert only.state == "failed"
    assert "did not answer within" in only.text


def test_rights_that_are_missing_are_named(kafka: Broker, admin: Any) -> None:
    topic = create_topic(kafka, 2)
    create_topic(kafka, 1, f"{topic}-dead")
    denied = [
        (ResourceType.TOPIC, topic, ACLOperation.READ),
        (ResourceType.TOPIC, f"{topic}-dead", ACLOperation.WRITE),
        (ResourceType.GROUP, topic, ACLOperation.DESCRIBE),
    ]
    seen = [(ResourceType.TOPIC, name, ACLOperation.DESCRIBE) for name in (topic, f"{topic}-dead")]
    for kind, name, operation in seen:
        resource = ResourcePattern(kind, name)
        admin.create_acls([ACL(f"User:{USER}", "*", operation, ACLPermissionType.ALLOW, resource)])
    admin.create_acls(
        [
            ACL(f"User:{USER}", "*", operation, ACLPermissionType.DENY, ResourcePattern(kind, name))
            for kind, name, operation in denied
        ]
    )
    told = named(
        check_kafka(
            config(
                kafka,
                topic,
                bootstrap_servers=kafka.sasl_bootstrap_servers,
                security_protocol="SASL_PLAINTEXT",
                sasl_mechanism="PLAIN",
                sasl_username=USER,
                sasl_password=SecretStr(PASSWORD),
            )
        )
    )
    for about, advice in (
        (f"topic {topic}", "grant READ"),
        (f"topic {topic}-dead", "grant WRITE"),
        (f"group {topic}", "grant READ on the group"),
    ):
        assert told[about][-1].state == "failed", told[about]
        assert advice in told[about][-1].advice
    assert PASSWORD not in json.dumps([one for some in told.values() for one in some])


def test_the_last_hundred_messages_are_judged(kafka: Broker) -> None:
    topic = create_topic(kafka, 4)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    for number in range(120):
        agent = f"agent-{number % 5}"
        key, partition = agent.encode(), partition_for(agent, 4)
        value = raw_event(number, agent_id=agent, role="r", status="ok")
        producer.send(topic, value, key, partition=partition)
    producer.send(topic, b"no event", b"agent-1")
    producer.send(
        topic, raw_event(1, agent_id="a"), b"x", partition=(partition_for("a", 4) + 1) % 4
    )
    producer.flush()
    producer.close()
    told = named(check_sample(config(kafka, topic)))
    assert told["sample"][0].text == "100 messages: 99 events, 1 refused"
    assert "1 refused: record: Invalid JSON" in told["sample"][1].text
    assert "1 of 99 events" in told["sample keys"][0].text
    assert "agent 'a' under key 'x'" in told["sample keys"][0].text
    empty = create_topic(kafka, 1)
    assert [one.state for one in check_sample(config(kafka, empty))] == ["warning"]


def test_the_clock_of_the_database_is_compared(postgres: Postgres) -> None:
    chosen = Config(store=StoreConfig(url=postgres.new_database()))
    told = named(check_store(chosen))
    assert told["clock"][0].state == "ok"
