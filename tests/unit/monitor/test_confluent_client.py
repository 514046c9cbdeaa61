"""confluent-kafka: how it is set up, and that its errors read as those of kafka-python."""

import sys

import pytest
from pydantic import SecretStr

from monitor import confluent_client, kafka_client
from monitor.config_source import KafkaConfig, SourceConfig
from monitor.kafka_client import KafkaClientError
from monitor.sources import SourceError
from monitor.sources.clients import kafka_source
from tests.kit.kafka_member import has_client

CONFIG = KafkaConfig(bootstrap_servers="b-1:9092,b-2:9092", sasl_username="tripswitch")


def test_where_it_is_not_installed_it_says_how_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    source = SourceConfig(kind="kafka", client="confluent")
    with pytest.raises(SourceError, match=r"pip install 'tripswitch\[fast\]'"):
        kafka_source(source, CONFIG)


def test_it_reads_as_kafka_python_does() -> None:
    has_client("confluent")
    secret = "n0t-to-be-shown"
    config = CONFIG.model_copy(
        update={
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "PLAIN",
            "sasl_password": SecretStr(secret),
        }
    )
    settings = confluent_client.consumer_settings(config)
    assert settings["sasl.password"] == secret
    assert settings["isolation.level"] == "read_uncommitted"
    assert settings["auto.offset.reset"] == "error"
    assert settings["enable.auto.commit"] is False
    confluent_client.library().Consumer(settings).close()  # it knows every one of them
    unset = config.model_copy(update={"sasl_password": None})
    with pytest.raises(KafkaClientError, match="TRIPSWITCH_KAFKA__SASL_PASSWORD"):
        confluent_client.consumer_settings(unset)


@pytest.mark.parametrize(
    ("code", "said", "transient"),
    [
        ("TOPIC_AUTHORIZATION_FAILED", "does not let tripswitch use topic t", False),
        ("GROUP_AUTHORIZATION_FAILED", "does not let tripswitch use topic t", False),
        ("NOT_LEADER_FOR_PARTITION", "topic t", True),
        ("_AUTHENTICATION", "refused the password of 'tripswitch'", False),
        ("_ALL_BROKERS_DOWN", "did not answer within 10 s", True),
        ("_MAX_POLL_EXCEEDED", "topic t", True),
        ("_FATAL", "topic t", False),
    ],
)
def test_errors_are_told_alike(code: str, said: str, transient: bool) -> None:
    has_client("confluent")
    kind = confluent_client.library().KafkaError
    error = kind(getattr(kind, code), "as the broker says")
    told = kafka_client.explain(confluent_client.as_kafka_python(error), CONFIG, "topic t")
    assert said in told
    assert confluent_client.is_transient(error) is transient
