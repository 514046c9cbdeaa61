"""A simulated fleet into a real Kafka."""

import json
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]

import monitor.cli  # noqa: F401  registers the commands
from baselines.event import ActionEvent
from monitor.cli.app import run
from monitor.sources.partition import partition_for
from tests.kit.broker import Broker

pytestmark = pytest.mark.service


def records(bootstrap_servers: str, topic: str) -> list[Any]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap_servers)
    there = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
    consumer.assign(there)
    consumer.seek_to_beginning(*there)
    expected = sum(consumer.end_offsets(there).values())
    found: list[Any] = []
    while len(found) < expected:
        for batch in consumer.poll(1000).values():
            found += batch
    consumer.close()
    return found


def test_every_event_arrives_in_its_agents_partition(
    kafka: Broker, topic: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRIPSWITCH_KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("TRIPSWITCH_SOURCE__TOPIC", topic)
    assert run(["simulate", "--kafka", "--duration", "9h", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    found = records(kafka.bootstrap_servers, topic)
    assert len(found) == summary["events"] > 0
    partitions = len({record.partition for record in found})
    for record in found:
        event = ActionEvent.parse(record.value)
        assert record.key == event.agent_id.encode()
        if partitions > 1:
            assert record.partition == partition_for(event.agent_id, partitions)


def test_a_topic_that_is_missing_is_named_and_not_made(
    kafka: Broker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRIPSWITCH_KAFKA__BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("TRIPSWITCH_SOURCE__TOPIC", "misspelt")
    assert run(["simulate", "--kafka", "--duration", "1h"]) == 4
    assert "topic misspelt does not exist" in capsys.readouterr().err
