"""What the dispatcher relies on, held by every receiver alike."""

import errno
import io
import json
import sys
import uuid
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import SecretStr, TypeAdapter

from alerting.message import MessageKind
from alerting.notify import contract
from alerting.notify.contract import KEY, Misbehaviour, ReceiverContract
from alerting.notify.kafka_topic import KafkaTopicReceiver
from alerting.notify.slack import SlackReceiver
from alerting.notify.terminal import TerminalReceiver
from alerting.ports import DeliveryError, Receiver
from monitor.config_receivers import ReceiverConfig
from monitor.config_source import KafkaConfig
from monitor.receiver_kinds import open_receiver, topic
from tests.kit.broker import PASSWORD, USER, Broker
from tests.kit.gateway_server import SECRET
from tests.kit.gateway_server import TOKEN as GATEWAY_TOKEN
from tests.kit.inbox_server import DOWN, HANG, REFUSED, inbox_server, webhook_receiver
from tests.kit.messages import HOSTILE, hostile_message, message
from tests.kit.revocations import read_records
from tests.kit.slack_server import CHANNEL, TOKEN, Answer, SlackServer
from tests.kit.slack_server import HANG as SLACK_HANG

TIMEOUT_S = 3.0


def settings(**values: Any) -> Any:
    return TypeAdapter[Any](ReceiverConfig).validate_python(values)


class Screen(io.StringIO):
    """A stream that can be full, gone or slow to be written to, as a real one can."""

    fault: Exception | None = None

    def write(self, text: str) -> int:
        if self.fault is not None:
            raise self.fault
        return super().write(text)


class Common(ReceiverContract):
    """What holds of the receivers here, beyond what holds of every one."""

    def test_it_tells_why_and_how_to_kill(self) -> None:
        with self._receiver() as receiver:
            receiver.send(message(), KEY)
        (told,) = self.told()
        for part in ("alert opened", "bank.example", "about one in 2,500", "agent-actions"):
            assert part in told
        assert "tripswitch kill payroll-7 --reason" in told

    @pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
    def test_our_own_corpus_is_text_and_is_told(self, text: str) -> None:
        with self._receiver() as receiver:
            receiver.send(hostile_message(text), KEY)
        (told,) = self.told()
        assert all(char.isprintable() or char == "\n" for char in told)


class TestTerminal(Common):
    @pytest.fixture(autouse=True)
    def _screen(self) -> None:
        self.screen = Screen()

    def open_receiver(self) -> Receiver:
        self.screen.fault = None
        return TerminalReceiver(self.screen)

    def told(self) -> list[str]:
        text = self.screen.getvalue().replace("MEDIUM  ", "HIGH  ")
        return [part for part in text.split("HIGH  ") if part]

    def misbehave(self, how: Misbehaviour) -> bool:
        faults = {
            "retryable": OSError(errno.ENOSPC, "No space left on device"),
            "final": BrokenPipeError(errno.EPIPE, "Broken pipe"),
        }
        self.screen.fault = faults.get(how)  # a stream has no time limit
        return how in faults

    def test_what_only_changes_what_was_written_is_passed_over(self) -> None:
        with self._receiver() as receiver:
            receiver.send(message(kind="updated"), KEY)
        assert self.told() == []


class TestSlack(Common):
    timeout_s = TIMEOUT_S
    secrets = (TOKEN, "SECRET")

    @pytest.fixture(autouse=True)
    def _server(self, slack: SlackServer) -> None:
        self.slack = slack

    def open_receiver(self) -> Receiver:
        return SlackReceiver(CHANNEL, TOKEN, self.slack.url, self.timeout_s, gap_s=0.0)

    def told(self) -> list[str]:
        return [str(posted.payload) for posted in self.slack.accepted]

    def misbehave(self, how: Misbehaviour) -> bool:
        answers = {
            "retryable": Answer(503, "<html>down</html>"),
            "final": Answer.error("invalid_auth"),
            "hang": SLACK_HANG,
        }
        self.slack.script.append(answers[how])
        return True


class TestWebhook(Common):
    timeout_s = TIMEOUT_S
    secrets = (SECRET, GATEWAY_TOKEN, "hush")

    @pytest.fixture(autouse=True)
    def _server(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("PAGER_SECRET", SECRET)
        monkeypatch.setenv("PAGER_TOKEN", GATEWAY_TOKEN)
        with inbox_server() as self.inbox:
            monkeypatch.setenv("PAGER_URL", f"{self.inbox.url}/hook?sig=hush")
            yield

    def settings(self, **changes: Any) -> Any:
        every: list[Any] = [*get_args(MessageKind)]
        request = {
            "kinds": every,
            "headers": {"Authorization": "Bearer $token", "X-Agent": "$agent_id"},
            "query": {"agent": "$agent_id"},
            "body": {"all": "$message", "text": "$text", "by": "$key"},
        }
        values = {"url_variable": "PAGER_URL", "requests": [request], **changes}
        return webhook_receiver(token_variable="PAGER_TOKEN", timeout_s=self.timeout_s, **values)

    def open_receiver(self) -> Receiver:
        return open_receiver(self.settings(), KafkaConfig())

    def told(self) -> list[str]:
        keys = [asked.headers["idempotency-key"] for asked in self.inbox.taken]
        told = [body["text"] for body in self.inbox.bodies()]
        return [f"{text}\n{key}" for text, key in zip(told, keys, strict=True)]

    def misbehave(self, how: Misbehaviour) -> bool:
        self.inbox.script.append({"retryable": DOWN, "final": REFUSED, "hang": HANG}[how])
        return True


@pytest.mark.service
class TestKafkaTopic(Common):
    timeout_s = 10.0
    secrets = (PASSWORD,)

    @pytest.fixture(autouse=True)
    def _topic(self, kafka: Broker) -> None:
        self.kafka = kafka
        self.topic = f"alerts-{uuid.uuid4().hex[:8]}"
        self.how: Misbehaviour | None = None

    def open_receiver(self) -> Receiver:
        """One whose outside is a broker that is not there or refuses, once it misbehaves."""
        return _Switch(self)

    def config(self) -> KafkaConfig:
        if self.how == "final":
            return KafkaConfig(
                bootstrap_servers=self.kafka.sasl_bootstrap_servers,
                security_protocol="SASL_PLAINTEXT",
                sasl_mechanism="PLAIN",
                sasl_username=USER,
                sasl_password=SecretStr("wrong-" + PASSWORD),
            )
        if self.how == "retryable":
            return KafkaConfig(bootstrap_servers="127.0.0.1:1")
        return KafkaConfig(bootstrap_servers=self.kafka.bootstrap_servers)

    def told(self) -> list[str]:
        records = read_records(self.kafka.bootstrap_servers, self.topic)
        return ["\n".join(_texts(value)) for _, value in records]

    def misbehave(self, how: Misbehaviour) -> bool:
        self.how = how
        return how != "hang"

    def test_one_story_has_one_key(self) -> None:
        with self._receiver() as receiver:
            receiver.send(contract.message(), KEY)
            receiver.send(contract.message(kind="resolved"), KEY[::-1])
            receiver.send(message(agent_id="a" * 3000), KEY)
        by_key: dict[str, list[str]] = {}
        for key, value in read_records(self.kafka.bootstrap_servers, self.topic):
            by_key.setdefault(key[:20], []).append(value["kind"])
        assert by_key["5f2a9c10d3e4"] == ["opened", "resolved"]
        assert by_key["a" * 20] == ["opened"]


class _Switch:
    """The topic's receiver, made as the test's settings are at each message."""

    name = "soc"

    def __init__(self, test: TestKafkaTopic) -> None:
        self._test = test
        test.how = None

    def send(self, told: Any, key: str, thread: str | None = None, attempt: int = 1) -> None:
        timeout_s = 2.0 if self._test.how == "retryable" else self._test.timeout_s
        made = KafkaTopicReceiver(
            self.name, topic(self._test.config(), self._test.topic), timeout_s
        )
        made.send(told, key, thread, attempt)
        made.close()

    def close(self) -> None:
        pass


class TestPlugin(ReceiverContract):
    """A plugin as its author would write it, in an installed package."""

    timeout_s = TIMEOUT_S
    secrets = ("s3cret",)

    @pytest.fixture(autouse=True)
    def _package(self, plugin_package: dict[str, str]) -> None:
        self.pager = sys.modules["tripswitch_in_memory"].Pager

    def open_receiver(self) -> Receiver:
        values = {"plugin": "pager", "settings": {"url": "x"}, "timeout_s": self.timeout_s}
        return open_receiver(settings(kind="plugin", name="my-pager", **values), KafkaConfig())

    def told(self) -> list[str]:
        return ["\n".join(_texts(json.loads(told))) for told in self.pager.TOLD]

    def misbehave(self, how: Misbehaviour) -> bool:
        self.pager.NEXT.append(how)
        return True

    def test_it_is_called_as_the_settings_call_it(self) -> None:
        with self._receiver() as receiver:
            assert receiver.name == "my-pager"
            assert receiver.send(contract.message(), KEY) == "place-1"

    def test_an_error_that_nobody_foresaw_is_not_quoted(self) -> None:
        self.pager.NEXT.append("fails")
        with (
            self._receiver() as receiver,
            pytest.raises(DeliveryError, match=r"^failed with RuntimeError$") as failed,
        ):
            receiver.send(contract.message(), KEY)
        assert failed.value.retryable

    def test_attempts_that_hang_do_not_pile_up(self) -> None:
        self.pager.NEXT.extend(["hang"] * 4)
        with self._receiver() as receiver:
            for _ in range(4):
                with pytest.raises(DeliveryError, match="did not end within"):
                    receiver.send(contract.message(), KEY)
            with pytest.raises(DeliveryError, match="4 earlier attempts still hang"):
                receiver.send(contract.message(), KEY)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)
