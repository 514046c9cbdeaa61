"""A receiver that is a Kafka topic: every message as JSON, for whoever reads alerts by machine.

The key is the incident, or the agent where there is none, so that one story stays in one
partition and in order. The value is `alerting.notify.record.record`.
"""

import json

from alerting.message import Message
from alerting.notify.record import MAX_ID_CHARS, record
from alerting.ports import DeliveryError
from alerting.render import clean
from alerting.wire.answer import WireError
from alerting.wire.topic import Topic


class KafkaTopicReceiver:
    """Publishes every message to one topic.

    Parameters
    ----------
    name
        Of the receiver.
    topic
        Where to.
    timeout_s
        Longest time that one attempt may take, in seconds.
    """

    def __init__(self, name: str, topic: Topic, timeout_s: float) -> None:
        self.name = name
        self._topic = topic
        self._timeout_s = timeout_s

    def send(
        self,
        message: Message,
        key: str,
        thread: str | None = None,  # noqa: ARG002 - the record's key is the thread
        attempt: int = 1,  # noqa: ARG002 - the delivery's key tells that it is a repeat
    ) -> None:
        """Publish one message, and return once all in-sync replicas have it.

        Raises
        ------
        DeliveryError
            If that was not confirmed in time.
        """
        story = message.thread or clean(message.agent_id, MAX_ID_CHARS)
        value = json.dumps(record(message, key)).encode()
        try:
            self._topic.put(story.encode(errors="replace"), value, self._timeout_s)
        except WireError as error:
            raise DeliveryError(str(error), retryable=error.retryable) from None

    def close(self) -> None:
        """Nothing is kept open between messages."""
