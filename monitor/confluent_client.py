"""confluent-kafka behind types: its settings, and its errors as those of kafka-python.

It comes with `tripswitch[fast]` and is loaded when it is asked for.
"""

# ruff: noqa: SLF001 -- the library's own errors have codes that begin with an underscore

import importlib
from typing import Any, Final

from kafka import errors as kafka_errors  # type: ignore[import-untyped]

from monitor import kafka_client
from monitor.config_source import KafkaConfig
from monitor.kafka_client import KafkaClientError

FETCH_MAX_WAIT_MS: Final = 100
_QUEUED_KBYTES: Final = 32 * 1024
"""So much it reads ahead at most, for all partitions of a topic."""


def library() -> Any:
    """The package.

    Raises
    ------
    KafkaClientError
        If it is not installed; saying how it is.
    """
    try:
        return importlib.import_module("confluent_kafka")
    except ImportError:
        raise KafkaClientError(
            "source.client is confluent, and confluent-kafka is not installed: install "
            "tripswitch[fast] (pip install 'tripswitch[fast]'), or leave source.client out"
        ) from None


def consumer_settings(config: KafkaConfig) -> dict[str, Any]:
    """A consumer of the configured group that neither commits nor creates topics on its own.

    Raises
    ------
    KafkaClientError
        If something is not set that has to be.
    """
    kafka_client.client_settings(config)  # refuses what is missing, in the words of all clients
    timeout_ms = int(config.request_timeout_s * 1000)
    shared: dict[str, Any] = {
        "bootstrap.servers": config.bootstrap_servers,
        "client.id": config.client_id,
        "group.id": config.group_id,
        "security.protocol": config.security_protocol,
        "socket.timeout.ms": max(timeout_ms, 1000),
        "reconnect.backoff.max.ms": 1000,  # a broker that is back is used within a second
        "session.timeout.ms": int(config.session_timeout_s * 1000),
        "heartbeat.interval.ms": int(config.session_timeout_s * 1000 / 5),
        "partition.assignment.strategy": "cooperative-sticky",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",  # what is missing must be said, not skipped
        "allow.auto.create.topics": False,
        "isolation.level": "read_uncommitted",  # as kafka-python reads
        "check.crcs": True,
        "fetch.wait.max.ms": FETCH_MAX_WAIT_MS,
        "queued.max.messages.kbytes": _QUEUED_KBYTES,
    }
    if config.group_instance_id is not None:
        shared["group.instance.id"] = config.group_instance_id
    if config.security_protocol.startswith("SASL"):
        assert config.sasl_password is not None
        shared["sasl.mechanism"] = config.sasl_mechanism
        shared["sasl.username"] = config.sasl_username
        shared["sasl.password"] = config.sasl_password.get_secret_value()
    if config.security_protocol.endswith("SSL"):
        checks = "https" if config.ssl_check_hostname else "none"
        shared["ssl.endpoint.identification.algorithm"] = checks
        files = {
            "ssl.ca.location": config.ssl_cafile,
            "ssl.certificate.location": config.ssl_certfile,
            "ssl.key.location": config.ssl_keyfile,
        }
        shared |= {name: str(file) for name, file in files.items() if file is not None}
        if config.ssl_password is not None:
            shared["ssl.key.password"] = config.ssl_password.get_secret_value()
    return shared


def as_kafka_python(error: Any) -> Exception:
    """What kafka-python would have raised for a `confluent_kafka.KafkaError`."""
    code, said = error.code(), error.str()
    if code > 0:
        made: Exception = kafka_errors.for_code(code)(said)
    elif code == error._FATAL and "group.instance.id" in said:  # it tells no code beside
        made = kafka_errors.FencedInstanceIdError(said)
    elif code == error._AUTHENTICATION:
        made = kafka_errors.SaslAuthenticationFailedError(said)
    elif code in (error._TRANSPORT, error._ALL_BROKERS_DOWN, error._TIMED_OUT, error._RESOLVE):
        made = kafka_errors.KafkaConnectionError(said)
    else:
        made = kafka_errors.KafkaError(said)
    return made


def is_transient(error: Any) -> bool:
    """Whether waiting may help against a `confluent_kafka.KafkaError`."""
    if error.code() > 0:
        return kafka_client.is_transient(as_kafka_python(error))
    # of a fatal error `fatal` tells only where it came with a result
    for_good = (error._AUTHENTICATION, error._SSL, error._FATAL)
    return not error.fatal() and error.code() not in for_good


def is_out_of_range(error: Any) -> bool:
    """Whether Kafka does not have the offset that was to be read."""
    out_of_range: bool = error.code() == error._AUTO_OFFSET_RESET
    return out_of_range
