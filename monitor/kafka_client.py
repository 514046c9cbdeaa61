"""kafka-python behind types: the one place that imports it (it ships no `py.typed`).

Clients are made from the settings, errors become one line for a person, and no client ever creates
a topic by accident.
"""

import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from kafka import (  # type: ignore[import-untyped]
    ConsumerRebalanceListener,
    KafkaAdminClient,
    KafkaConsumer,
    KafkaProducer,
    OffsetAndMetadata,
    TopicPartition,
)
from kafka import errors as kafka_errors
from kafka.coordinator.assignors.cooperative_sticky import (  # type: ignore[import-untyped]
    CooperativeStickyAssignor,
)
from kafka.partitioner import murmur2  # type: ignore[import-untyped]

from monitor.config_checks import ENV_PREFIX
from monitor.config_source import KafkaConfig
from monitor.errors import TripswitchError
from monitor.kafka_connect import connect, finish_joins
from monitor.kafka_types import Consumer as Consumer
from monitor.kafka_types import Delivery as Delivery
from monitor.kafka_types import Partition as Partition
from monitor.kafka_types import Producer as Producer

KafkaError: Final[type[Exception]] = kafka_errors.KafkaError
"""Base of everything that kafka-python raises."""
OffsetOutOfRangeError: Final[type[Exception]] = kafka_errors.OffsetOutOfRangeError
MessageTooLargeErrors: Final[tuple[type[Exception], ...]] = (
    kafka_errors.MessageSizeTooLargeError,
    kafka_errors.RecordListTooLargeError,
)


class KafkaClientError(TripswitchError):
    """Kafka cannot be reached or refuses us; the message names the broker and what to do."""


def partition(topic: str, number: int) -> Partition:
    """A partition as kafka-python wants it."""
    made: Partition = TopicPartition(topic, number)
    return made


def key_hash(key: bytes) -> int:
    """The hash by which Kafka's default partitioner places a key: murmur2, made positive."""
    return int(murmur2(key)) & 0x7FFFFFFF


def offset_to_commit(next_offset: int) -> Any:
    """An offset as kafka-python's commit wants it."""
    return OffsetAndMetadata(next_offset)


def make_consumer(config: KafkaConfig, **settings: Any) -> Consumer:
    """A consumer of the configured group that neither commits nor creates topics on its own.

    Raises
    ------
    KafkaClientError
        If no broker answers within `kafka.request_timeout_s`, or it refuses us.
    """
    made: Consumer = _connect(
        KafkaConsumer,
        config,
        group_id=config.group_id,
        group_instance_id=config.group_instance_id,
        enable_auto_commit=False,
        allow_auto_create_topics=False,
        partition_assignment_strategy=(CooperativeStickyAssignor,),
        session_timeout_ms=int(config.session_timeout_s * 1000),
        heartbeat_interval_ms=int(config.session_timeout_s * 1000 / 5),
        metrics_enabled=False,
        **settings,
    )
    finish_joins(made)
    return made


def make_reader(config: KafkaConfig) -> Consumer:
    """A consumer of no group, for who reads a topic as a file: `assign`, `seek`, `poll`.

    Raises
    ------
    KafkaClientError
        If no broker answers within `kafka.request_timeout_s`, or it refuses us.
    """
    made: Consumer = _connect(
        KafkaConsumer,
        config,
        group_id=None,
        enable_auto_commit=False,
        allow_auto_create_topics=False,
        metrics_enabled=False,
    )
    return made


def make_listener(
    on_assigned: Callable[[Iterable[Partition]], None],
    on_lost: Callable[[Iterable[Partition]], None],
) -> Any:
    """A rebalance listener. Both functions run on the client's I/O thread and must not block."""

    class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
        def on_partitions_assigned(self, assigned: Iterable[Partition]) -> None:
            on_assigned(assigned)

        def on_partitions_revoked(self, revoked: Iterable[Partition]) -> None:
            on_lost(revoked)

        def on_partitions_lost(self, lost: Iterable[Partition]) -> None:
            on_lost(lost)

    return Listener()


def make_producer(config: KafkaConfig, **settings: Any) -> Producer:
    """An idempotent producer whose `send` blocks for at most `kafka.request_timeout_s`.

    Raises
    ------
    KafkaClientError
        If no broker answers in that time, or it refuses us.
    """
    timeout_ms = int(config.request_timeout_s * 1000)
    made: Producer = _connect(
        KafkaProducer,
        config,
        allow_auto_create_topics=False,
        max_block_ms=timeout_ms,
        delivery_timeout_ms=timeout_ms + 1000,
        metrics_enabled=False,
        **settings,
    )
    return made


def partition_count(config: KafkaConfig, topic: str) -> int:
    """How many partitions a topic has; 0 if it does not exist.

    Raises
    ------
    KafkaClientError
        If Kafka cannot be asked.
    """
    admin = _connect(KafkaAdminClient, config)
    try:
        (found,) = admin.describe_topics([topic])
        if found["error_code"] == kafka_errors.UnknownTopicOrPartitionError.errno:
            return 0
        if found["error_code"]:
            raise kafka_errors.for_code(found["error_code"])(topic)
        return len(found["partitions"])
    except KafkaError as error:
        raise KafkaClientError(explain(error, config, f"topic {topic}")) from None
    finally:
        admin.close()


def ensure_topic(
    name: str,
    partitions: int,
    config: KafkaConfig,
    *,
    compacted: bool,
    settings: Mapping[str, str] | None = None,
) -> None:
    """Create a topic that is our own if it does not exist; one that exists is left as it is.

    Parameters
    ----------
    name, partitions
        What to create, with the broker's default replication.
    compacted
        Whether the topic keeps the last record of each key for ever.
    settings
        More topic settings, such as `max.message.bytes`.

    Raises
    ------
    KafkaClientError
        If it does not exist and cannot be created.
    """
    if partition_count(config, name):
        return
    configs = {"cleanup.policy": "compact" if compacted else "delete", **(settings or {})}
    admin = _connect(KafkaAdminClient, config)
    try:
        admin.create_topics(
            {name: {"num_partitions": partitions, "configs": configs}}, wait_for_metadata=True
        )
    except kafka_errors.TopicAlreadyExistsError:
        return  # another process was faster
    except KafkaError as error:
        raise KafkaClientError(explain(error, config, f"topic {name}")) from None
    finally:
        admin.close()


def is_transient(error: Exception) -> bool:
    """Whether waiting may help: a broker that is away, an election, a time limit."""
    return bool(getattr(error, "retriable", False))


def explain(error: Exception, config: KafkaConfig, subject: str) -> str:
    """One line: which broker, what was tried, what went wrong, what to do.

    Parameters
    ----------
    error
        What kafka-python raised.
    subject
        What was being used, such as `topic agent-actions`.
    """
    where = f"Kafka at {config.bootstrap_servers}"
    said = " ".join(str(error).split())
    match error:
        case kafka_errors.SaslAuthenticationFailedError():
            return (
                f"{where} refused the password of {config.sasl_username!r}: set "
                f"kafka.sasl_username and {ENV_PREFIX}KAFKA__SASL_PASSWORD"
            )
        case kafka_errors.UnsupportedSaslMechanismError() | kafka_errors.IllegalSaslStateError():
            return f"{where}: {said}; set kafka.security_protocol and kafka.sasl_mechanism"
        case kafka_errors.AuthorizationError():
            user = config.sasl_username or "an anonymous user"
            return f"{where} does not let {user} use {subject} ({said}); grant it by Kafka's ACLs"
        case kafka_errors.FencedInstanceIdError():
            taken = f"another process is {config.group_instance_id!r}, too"
            return f"{where}: {taken}: give each its own kafka.group_instance_id"
        case kafka_errors.UnknownTopicOrPartitionError():
            return f"{where}: {subject} does not exist; create it, or name another in the settings"
        case kafka_errors.KafkaConfigurationError() | kafka_errors.UnsupportedCodecError():
            return f"{where}: {subject}: {said}; look at [kafka] in the settings"
        case kafka_errors.KafkaTimeoutError() | kafka_errors.KafkaConnectionError():
            why = f"{subject}: {error.__cause__}" if error.__cause__ else subject
            return (
                f"{where} did not answer within {config.request_timeout_s:g} s ({why}); check "
                "kafka.bootstrap_servers, kafka.security_protocol and that the broker runs"
            )
    return f"{where}: {subject}: {said}; `tripswitch doctor` tries what else is asked of Kafka"


def _connect(client: Any, config: KafkaConfig, **settings: Any) -> Any:
    try:
        return connect(client, **client_settings(config), **settings)
    except KafkaError as error:
        raise KafkaClientError(explain(error, config, "connecting")) from None


def client_settings(config: KafkaConfig) -> dict[str, Any]:
    """The settings that all kinds of clients share."""
    if not config.bootstrap_servers:
        raise KafkaClientError("no Kafka broker is named: set kafka.bootstrap_servers")
    timeout_ms = int(config.request_timeout_s * 1000)
    shared: dict[str, Any] = {
        "bootstrap_servers": config.bootstrap_servers.split(","),
        "client_id": config.client_id,
        "security_protocol": config.security_protocol,
        "bootstrap_timeout_ms": timeout_ms,
        "request_timeout_ms": timeout_ms,
        "reconnect_backoff_max_ms": 1000,  # a broker that is back is used within a second
    }
    if config.security_protocol.startswith("SASL"):
        if not (config.sasl_mechanism and config.sasl_username and config.sasl_password):
            raise KafkaClientError(
                f"kafka.security_protocol is {config.security_protocol}: set kafka.sasl_mechanism, "
                f"kafka.sasl_username and {ENV_PREFIX}KAFKA__SASL_PASSWORD"
            )
        shared["sasl_mechanism"] = config.sasl_mechanism
        shared["sasl_plain_username"] = config.sasl_username
        shared["sasl_plain_password"] = config.sasl_password.get_secret_value()
    if config.security_protocol.endswith("SSL"):
        shared["ssl_context"] = _ssl_context(config)
        shared["ssl_check_hostname"] = config.ssl_check_hostname
    return shared


def _ssl_context(config: KafkaConfig) -> ssl.SSLContext:
    """Made here, because kafka-python would try a missing file again until its time is up."""
    password = config.ssl_password.get_secret_value() if config.ssl_password else ""
    try:
        context = ssl.create_default_context(cafile=config.ssl_cafile)
        context.check_hostname = config.ssl_check_hostname
        if config.ssl_certfile:
            context.load_cert_chain(config.ssl_certfile, config.ssl_keyfile, password)
    except OSError as error:
        files = (config.ssl_cafile, config.ssl_certfile, config.ssl_keyfile)
        named = ", ".join(str(file) for file in files if file)
        raise KafkaClientError(f"kafka: cannot use the TLS files {named}: {error}") from None
    return context
