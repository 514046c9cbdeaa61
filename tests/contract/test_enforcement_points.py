"""What every enforcement point must do, seen from where it is enforced."""

import hashlib
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient  # type: ignore[import-untyped]
from kafka.admin import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]
from pydantic import SecretStr

from alerting.notify.contract import stopwatch
from alerting.ports import EnforcementPoint, RevokeError
from alerting.revoke.contract import EnforcementPointContract, order
from monitor.config_points import CommandPointConfig
from monitor.config_source import KafkaConfig
from monitor.enforcement import kafka_point, open_point
from monitor.point_plugins import open_plugin
from monitor.webhooks import open_webhook
from tests.kit.broker import PASSWORD, USER, Broker
from tests.kit.gateway_server import SECRET, gateway_server
from tests.kit.points import webhook
from tests.kit.revocations import last_of

SCRIPT = """
import hashlib, json, os, pathlib, sys
verb, told = sys.argv[1], json.loads(sys.stdin.readline() or "null")
if verb == "check":
    sys.exit(0)
agent_id = sys.argv[-1]
assert agent_id == told["agent_id"] == os.environ["TRIPSWITCH_AGENT_ID"]
assert told["reason"] == os.environ["TRIPSWITCH_REASON"]
path = pathlib.Path({states!r}, hashlib.sha256(agent_id.encode()).hexdigest())
if verb == "verify":
    sys.exit(0 if path.exists() and path.read_text() == told["state"] else 1)
path.write_text(told["state"])
"""


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


class TestWebhook(EnforcementPointContract):
    @pytest.fixture(autouse=True)
    def _gateway(self, tmp_path: Path) -> Iterator[None]:
        secret = tmp_path / "secret"
        secret.write_text(SECRET)
        with gateway_server() as self.gateway:
            self.settings = webhook(self.gateway.url, secret_file=secret)
            yield

    def open_point(self) -> EnforcementPoint:
        return open_webhook(self.settings)

    def state_of(self, agent_id: str) -> str | None:
        return self.gateway.states.get(agent_id)


class TestCommand(EnforcementPointContract):
    @pytest.fixture(autouse=True)
    def _script(self, tmp_path: Path) -> None:
        self.states = tmp_path / "states"
        self.states.mkdir()
        script = tmp_path / "point.py"
        script.write_text(SCRIPT.format(states=str(self.states)))
        run = (sys.executable, str(script))
        self.settings = CommandPointConfig(
            kind="command",
            name="iam",
            revoke=(*run, "revoke", "--", "$agent_id"),
            restore=(*run, "restore", "--", "$agent_id"),
            verify=(*run, "verify", "--", "$agent_id"),
            check=(*run, "check"),
        )

    def open_point(self) -> EnforcementPoint:
        return open_point(self.settings)

    def state_of(self, agent_id: str) -> str | None:
        path = self.states / hashlib.sha256(agent_id.encode()).hexdigest()
        return path.read_text() if path.exists() else None


class TestPlugin(EnforcementPointContract):
    """A plugin as its author would write it, in an installed package."""

    @pytest.fixture(autouse=True)
    def _package(self, plugin_package: dict[str, str]) -> None:
        self.states = plugin_package

    def open_point(self) -> EnforcementPoint:
        return open_plugin("in-memory", {"url": "http://127.0.0.1"})

    def state_of(self, agent_id: str) -> str | None:
        return self.states.get(agent_id)


@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)
def test_no_broker_is_said_in_time() -> None:
    point = kafka_point(KafkaConfig(bootstrap_servers="127.0.0.1:1"))
    with stopwatch() as passed_s:
        with pytest.raises(RevokeError, match=r"127\.0\.0\.1:1.* did not confirm within 0\.5 s"):
            point.revoke(order("revoke", 1, "a"), 0.5)
        with pytest.raises(RevokeError, match=r"127\.0\.0\.1:1.* did not answer within 0\.5 s"):
            point.check(0.5)
        assert passed_s() < 10
