"""From the settings to the enforcement points that a trip has here."""

from functools import partial

from alerting.killswitch import Order
from alerting.ports import EnforcementPoint, RevokeError
from alerting.revoke.command import CommandPoint
from alerting.revoke.orders import KAFKA
from monitor.attempts import Limits
from monitor.config import Config
from monitor.config_points import CommandPointConfig, PluginPointConfig, PointConfig
from monitor.config_source import KafkaConfig
from monitor.errors import UsageError
from monitor.ledger.trips import REGISTRY
from monitor.point_plugins import open_plugin


class UnusablePoint:
    """Stands for a point that cannot be made from its settings; each order fails and says why.

    An emergency command goes on with the other points in this way.
    """

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        self._why = why

    def check(self, timeout_s: float = 5.0) -> None:
        """Say what is wrong."""
        del timeout_s
        raise RevokeError(self._why)

    def revoke(self, order: Order, timeout_s: float) -> None:
        """Say what is wrong."""
        del order
        self.check(timeout_s)

    def restore(self, order: Order, timeout_s: float) -> None:
        """Say what is wrong."""
        del order
        self.check(timeout_s)

    def verify(self, order: Order, timeout_s: float) -> None:
        """Nothing can be asked."""

    def close(self) -> None:
        """Nothing is open."""


def enforcement_points(config: Config, *, strict: bool = True) -> dict[str, EnforcementPoint]:
    """The points that are driven from outside the ledger, by name. None of them connects yet.

    Parameters
    ----------
    strict
        Whether a point that cannot be made from its settings is an error; else it is among the
        points, and fails each order.

    Raises
    ------
    UsageError
        Naming the point and what is wrong with it.
    """
    points: dict[str, EnforcementPoint] = {}
    if config.kafka.bootstrap_servers:
        points[KAFKA] = kafka_point(config.kafka)
    for settings in config.points:
        try:
            points[settings.name] = open_point(settings)
        except UsageError as error:
            if strict:
                raise UsageError(f"enforcement point {settings.name}: {error}") from None
            points[settings.name] = UnusablePoint(settings.name, str(error))
    return points


def point_names(config: Config) -> tuple[str, ...]:
    """The names of all points of a trip that is ordered here, the registry among them."""
    kafka = (KAFKA,) if config.kafka.bootstrap_servers else ()
    return (REGISTRY, *kafka, *(point.name for point in config.points))


def point_limits(config: Config) -> dict[str, Limits]:
    """What each point may take, by name."""
    default_s = config.trip.point_timeout_s
    limits = {p.name: Limits(p.timeout_s or default_s, p.max_parallel) for p in config.points}
    return {KAFKA: Limits(default_s), **limits}


def longest_attempt_s(config: Config) -> float:
    """How long an attempt at every point, side by side, takes at most."""
    return max(limits.timeout_s for limits in point_limits(config).values())


def kafka_point(kafka: KafkaConfig) -> EnforcementPoint:
    """The revocations topic, reached as every other topic is."""
    # kafka-python takes a third of a second to load; a kill without it does not wait for that.
    from alerting.revoke.kafka_topic import KafkaTopicPoint
    from monitor.kafka_client import client_settings, explain, is_transient
    from monitor.kafka_connect import connect

    def refusal(error: Exception, subject: str) -> str | None:
        return None if is_transient(error) else explain(error, kafka, subject)

    return KafkaTopicPoint(
        partial(client_settings, kafka),
        kafka.revocations_topic,
        connect=connect,
        refusal=refusal,
    )


def open_point(settings: PointConfig) -> EnforcementPoint:
    """One configured point.

    Raises
    ------
    UsageError
        If it cannot be made.
    """
    if isinstance(settings, CommandPointConfig):
        return CommandPoint(
            settings.name,
            {"revoke": settings.revoke, "restore": settings.restore},
            verify=settings.verify,
            check=settings.check,
            variables=settings.variables,
        )
    if isinstance(settings, PluginPointConfig):
        return open_plugin(settings.plugin, settings.settings)
    from monitor.webhooks import open_webhook  # httpx takes its time to load

    return open_webhook(settings)
