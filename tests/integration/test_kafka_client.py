"""What a broker that refuses, or does not answer, is said to have said."""

import pytest
from kafka import KafkaAdminClient  # type: ignore[import-untyped]
from kafka.admin import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]
from pydantic import SecretStr

from alerting.notify.contract import stopwatch
from monitor import kafka_client
from monitor.config_source import KafkaConfig, SourceConfig
from monitor.kafka_client import KafkaClientError
from monitor.sources import SourceError
from monitor.sources.kafka import KafkaSource
from tests.kit.broker import PASSWORD, USER, Broker
from tests.kit.kafka_member import member_config

pytestmark = pytest.mark.service


@pytest.fixture
def config(kafka: Broker, topic: str) -> KafkaConfig:
    return member_config(kafka, topic)


def sasl(broker: Broker, config: KafkaConfig, password: str) -> KafkaConfig:
    return config.model_copy(
        update={
            "bootstrap_servers": broker.sasl_bootstrap_servers,
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "PLAIN",
            "sasl_username": USER,
            "sasl_password": SecretStr(password),
        }
    )


def test_a_wrong_password_is_said_without_the_password(
    kafka: Broker, topic: str, config: KafkaConfig
) -> None:
    wrong = sasl(kafka, config, "wr0ng-password")
    with pytest.raises(SourceError, match=f"refused the password of '{USER}'") as caught:
        KafkaSource(SourceConfig(kind="kafka", topic=topic), wrong)
    assert "wr0ng" not in str(caught.value)
    assert "\n" not in str(caught.value)
    KafkaSource(SourceConfig(kind="kafka", topic=topic), sasl(kafka, config, PASSWORD)).close()


def test_a_password_that_is_not_set_is_asked_for(topic: str, config: KafkaConfig) -> None:
    unset = config.model_copy(update={"security_protocol": "SASL_SSL"})
    with pytest.raises(SourceError, match="TRIPSWITCH_KAFKA__SASL_PASSWORD"):
        KafkaSource(SourceConfig(kind="kafka", topic=topic), unset)


def test_a_missing_certificate_is_named(topic: str, config: KafkaConfig) -> None:
    tls = config.model_copy(update={"security_protocol": "SSL", "ssl_cafile": "/nowhere/ca.pem"})
    with pytest.raises(SourceError, match=r"/nowhere/ca\.pem.*No such file"):
        KafkaSource(SourceConfig(kind="kafka", topic=topic), tls)


def test_a_broker_that_does_not_answer_is_given_up_in_time(config: KafkaConfig) -> None:
    nobody = config.model_copy(update={"bootstrap_servers": "127.0.0.1:1", "request_timeout_s": 1})
    with stopwatch() as passed_s:
        with pytest.raises(SourceError, match=r"127.0.0.1:1 did not answer within 1 s"):
            KafkaSource(SourceConfig(kind="kafka", topic="any"), nobody)
        assert passed_s() < 5


def test_ensure_topic_makes_it_once_as_asked(kafka: Broker, config: KafkaConfig) -> None:
    name = f"{config.group_id}-own"
    kafka_client.ensure_topic(name, 2, config, compacted=True)
    kafka_client.ensure_topic(name, 5, config, compacted=False)
    assert kafka_client.partition_count(config, name) == 2
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    admin.close()
    assert described["topic"][name]["cleanup.policy"]["value"] == "compact"


def test_a_name_that_no_topic_can_have_is_said(config: KafkaConfig) -> None:
    with pytest.raises(KafkaClientError, match="topic no such name"):
        kafka_client.ensure_topic("no such name", 1, config, compacted=False)
