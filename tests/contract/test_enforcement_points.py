"""What every enforcement point must do, seen from where it is enforced."""

import time
import uuid
from collections.abc import Callable

import pytest
from kafka import KafkaAdminClient  # type: ignore[import-untyped]
from kafka.admin import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]
from pydantic import SecretStr

from alerting.ports import EnforcementPoint, RevokeError
from alerting.revoke.contract import EnforcementPointContract, order
from monitor.config import KafkaConfig
from monitor.enforcement import kafka_point
from tests.kit.broker import PASSWORD, USER, Broker
from tests.kit.revocations import last_of


@pytest.mark.service
class TestKafkaTopic(EnforcementPointContract):
    @pytest.fixture(autouse=True)
    def _topic(self, kafka: Broker) -> None:
        self.config = KafkaConfig(
            bootstrap_servers=kafka.bootstrap_servers,
            revocations_topic=f"revocations-{uuid.uuid4().hex[:8]}",
        )

    def open_point(self) -> EnforcementPoint:
        return kafka_point(self.config)

    def state_of(self, agent_id: str) -> str | None:
        servers = self.config.bootstrap_servers
        assert servers is not None
        last = last_of(servers, self.config.revocations_topic, agent_id)
        return None if last is None else str(last["state"])

    def test_the_topic_is_made_compacted(self) -> None:
        self.open_point().revoke(order("revoke", 1, "a"), self.timeout_s)
        admin = KafkaAdminClient(bootstrap_servers=self.config.bootstrap_servers)
        topic = ConfigResource(ConfigResourceType.TOPIC, self.config.revocations_topic)
        try:
            found = admin.describe_configs([topic])
        finally:
            admin.close()
        assert "compact" in str(found)

    @pytest.mark.parametrize(
        "ask", [lambda p: p.check(10.0), lambda p: p.revoke(order("revoke", 1, "a"), 10.0)]
    )
    def test_a_wrong_password_is_said_without_it(
        self, kafka: Broker, ask: Callable[[EnforcementPoint], None]
    ) -> None:
        point = kafka_point(
            KafkaConfig(
                bootstrap_servers=kafka.sasl_bootstrap_servers,
                security_protocol="SASL_PLAINTEXT",
                sasl_mechanism="PLAIN",
                sasl_username=USER,
                sasl_password=SecretStr("wrong-" + PASSWORD),
            )
        )
        with pytest.raises(RevokeError, match="refused the password of 'tripswitch'") as refused:
            ask(point)
        assert PASSWORD not in str(refused.value)


@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)
def test_no_broker_is_said_in_time() -> None:
    point = kafka_point(KafkaConfig(bootstrap_servers="127.0.0.1:1"))
    started = time.monotonic()
    with pytest.raises(RevokeError, match=r"127\.0\.0\.1:1.* did not confirm within 0\.5 s"):
        point.revoke(order("revoke", 1, "a"), 0.5)
    with pytest.raises(RevokeError, match=r"127\.0\.0\.1:1.* did not answer within 0\.5 s"):
        point.check(0.5)
    assert time.monotonic() - started < 10
