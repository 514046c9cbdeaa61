"""From the settings of a receiver to the receiver: a webhook, a Kafka topic, a plugin."""

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from alerting.notify.bounded import BoundedReceiver
from alerting.notify.kafka_topic import KafkaTopicReceiver
from alerting.ports import Receiver
from alerting.wire.answer import WireError
from alerting.wire.topic import Topic
from monitor import plugins
from monitor.config_receivers import (
    KafkaReceiverConfig,
    PluginReceiverConfig,
    ReceiverConfig,
    WebhookReceiverConfig,
)
from monitor.config_source import KafkaConfig
from monitor.errors import UsageError
from monitor.kafka_client import client_settings, explain, is_transient
from monitor.kafka_connect import connect

GROUP: Final = "tripswitch.receivers"
_METHODS: Final = ("send", "close")


def open_receiver(settings: ReceiverConfig, kafka: KafkaConfig) -> Receiver:
    """One configured receiver. It does not connect yet.

    Raises
    ------
    UsageError
        Naming the receiver and what is wrong with it.
    """
    try:
        if isinstance(settings, WebhookReceiverConfig):
            return _webhook(settings)
        if isinstance(settings, KafkaReceiverConfig):
            return KafkaTopicReceiver(
                settings.name, topic(kafka, settings.topic), settings.timeout_s
            )
        return _plugin(settings)
    except UsageError as error:
        raise UsageError(f"receiver {settings.name}: {error}") from None


def topic(kafka: KafkaConfig, name: str) -> Topic:
    """A topic for messages, reached as every other topic is."""

    def refusal(error: Exception, subject: str) -> str | None:
        return None if is_transient(error) else explain(error, kafka, subject)

    return Topic(
        partial(client_settings, kafka), name, connect=connect, refusal=refusal, compacted=False
    )


def _webhook(settings: WebhookReceiverConfig) -> Receiver:
    from alerting.notify.webhook import Telling, WebhookReceiver, Word
    from monitor.wire import open_sender, request_template  # httpx takes its time to load

    return WebhookReceiver(
        settings.name,
        open_sender(settings, _url(settings), url_is_secret=settings.url is None),
        [Telling(request.all_kinds(), request_template(request)) for request in settings.requests],
        words={
            name: Word(word.of, word.say, word.otherwise or "")
            for name, word in settings.words.items()
        },
        escape=settings.escape,
        timeout_s=settings.timeout_s,
    )


def _url(settings: WebhookReceiverConfig) -> Callable[[], str]:
    from monitor.wire import read_secret

    def url() -> str:
        found = settings.url or read_secret(settings.url_file, settings.url_variable) or ""
        if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#@]*)?(\?[^\s#]*)?", found, re.ASCII):
            raise WireError("what url_file or url_variable holds is no URL", retryable=True)
        return found

    return url


def _plugin(settings: PluginReceiverConfig) -> Receiver:
    made: Receiver = plugins.open_plugin(
        GROUP, settings.plugin, settings.settings, "receiver", _METHODS
    )
    return BoundedReceiver(settings.name, made, settings.timeout_s)
