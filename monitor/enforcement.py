"""From the settings to the enforcement points that a trip has here."""

from functools import partial

from alerting.ports import EnforcementPoint
from alerting.revoke.kafka_topic import KafkaTopicPoint
from monitor.config import Config
from monitor.kafka_client import client_settings
from monitor.ledger.trips import REGISTRY


def enforcement_points(config: Config) -> dict[str, EnforcementPoint]:
    """The points that are driven from outside the ledger, by name. None of them connects yet."""
    points: list[EnforcementPoint] = []
    if config.kafka.bootstrap_servers:
        settings = partial(client_settings, config.kafka)
        points.append(KafkaTopicPoint(settings, config.kafka.revocations_topic))
    return {point.name: point for point in points}


def point_names(config: Config) -> tuple[str, ...]:
    """The names of all points of a trip that is ordered here, the registry among them."""
    return (REGISTRY, *enforcement_points(config))
