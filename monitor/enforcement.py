"""From the settings to the enforcement points that a trip has here."""

from functools import partial

from alerting.ports import EnforcementPoint
from alerting.revoke.kafka_topic import KafkaTopicPoint
from monitor.config import Config, KafkaConfig
from monitor.kafka_client import client_settings, explain, is_transient
from monitor.kafka_connect import connect
from monitor.ledger.trips import REGISTRY


def enforcement_points(config: Config) -> dict[str, EnforcementPoint]:
    """The points that are driven from outside the ledger, by name. None of them connects yet."""
    points: list[EnforcementPoint] = []
    if config.kafka.bootstrap_servers:
        points.append(kafka_point(config.kafka))
    return {point.name: point for point in points}


def point_names(config: Config) -> tuple[str, ...]:
    """The names of all points of a trip that is ordered here, the registry among them."""
    return (REGISTRY, *enforcement_points(config))


def kafka_point(kafka: KafkaConfig) -> KafkaTopicPoint:
    """The revocations topic, reached as every other topic is."""

    def refusal(error: Exception, subject: str) -> str | None:
        return None if is_transient(error) else explain(error, kafka, subject)

    return KafkaTopicPoint(
        partial(client_settings, kafka),
        kafka.revocations_topic,
        connect=connect,
        refusal=refusal,
    )
