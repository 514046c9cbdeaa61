"""What the brokers say of topics and of the group: partitions, settings, and what we may do."""

import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final, NamedTuple

from kafka import KafkaAdminClient  # type: ignore[import-untyped]
from kafka.admin import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]

from monitor.config_source import KafkaConfig
from monitor.kafka_client import (
    KafkaClientError,
    KafkaError,
    client_settings,
    explain,
    is_transient,
)
from monitor.kafka_connect import connect

_RETRY_S: Final = 0.2


class Topic(NamedTuple):
    """One topic as the brokers describe it.

    Attributes
    ----------
    rights
        What we may do with it; None where the brokers do not say.
    settings
        By name; empty where we may not ask.
    """

    name: str
    partitions: int
    rights: frozenset[str] | None
    settings: dict[str, str]


def describe(config: KafkaConfig, names: Collection[str]) -> dict[str, Topic]:
    """The topics of these names that exist and that we may see.

    Raises
    ------
    KafkaClientError
        If no broker answers.
    """
    with _admin(config) as admin:
        try:
            described = [one for one in admin.describe_topics(list(names)) if not one["error_code"]]
            settings = _settings(admin, [one["name"] for one in described])
        except KafkaError as error:
            raise KafkaClientError(explain(error, config, "describing topics")) from None
    return {
        one["name"]: Topic(
            one["name"],
            len(one["partitions"]),
            None if (rights := one.get("authorized_operations")) is None else frozenset(rights),
            settings.get(one["name"], {}),
        )
        for one in described
    }


def may_join(config: KafkaConfig) -> str | None:
    """Why we may not read as the configured group; None if we may.

    Raises
    ------
    KafkaClientError
        If no broker answers.
    """
    with _admin(config) as admin:
        until_s = time.monotonic() + config.request_timeout_s
        while True:
            try:
                (found,) = admin.describe_groups(
                    [config.group_id], include_authorized_operations=True
                ).values()
            except KafkaError as error:  # the first group of a cluster has to wait for its place
                if not is_transient(error) or time.monotonic() > until_s:
                    return explain(error, config, f"group {config.group_id}")
                time.sleep(_RETRY_S)
                continue
            rights = found.get("authorized_operations")  # None where nobody has read yet
            return "may be described, and not joined" if rights and "READ" not in rights else None


@contextmanager
def _admin(config: KafkaConfig) -> Iterator[Any]:
    """A connection for as long as it is asked."""
    try:
        admin = connect(KafkaAdminClient, **client_settings(config))
    except KafkaError as error:
        raise KafkaClientError(explain(error, config, "connecting")) from None
    with closing(admin):
        yield admin


def _settings(admin: Any, names: Iterable[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    if not resources:
        return {}
    try:
        found = admin.describe_configs(resources, config_filter="all")
    except KafkaError:
        return {}  # it takes a right of its own, DESCRIBE_CONFIGS
    topics: dict[str, Any] = next(iter(found.values()), {})
    return {
        name: {key: str(value["value"]) for key, value in entries.items()}
        for name, entries in topics.items()
    }
