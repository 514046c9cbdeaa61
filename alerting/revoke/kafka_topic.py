"""An enforcement point that is a Kafka topic: the last record of an agent says where it stands.

The topic is compacted and keyed by `agent_id`, so a gateway that reads it from the beginning knows
every agent that is cut off, and one that follows it hears of the next within milliseconds. A value
is JSON: `agent_id`, `state` (`revoked` or `active`), `order_seq`, `trip_id`, `reason`, `at`,
`ordered_by`. A reader ignores a record whose `order_seq` is lower than the agent's last.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from alerting.killswitch import Order
from alerting.ports import RevokeError
from alerting.revoke.orders import KAFKA, LastOrders, record
from alerting.wire.answer import WireError
from alerting.wire.topic import Topic


class KafkaTopicPoint:
    """Publishes every order to a compacted topic.

    Parameters
    ----------
    settings
        Gives kafka-python's keyword arguments for reaching the brokers.
    topic
        Created compacted, with the broker's defaults else, if it does not exist.
    connect
        Makes a client of a kind, by keyword arguments.
    refusal
        Says in words what is wrong where waiting cannot help, such as a refused password, given
        the error and what was being used; else None.
    """

    name = KAFKA

    def __init__(
        self,
        settings: Callable[[], Mapping[str, Any]],
        topic: str,
        *,
        connect: Callable[..., Any],
        refusal: Callable[[Exception, str], str | None],
    ) -> None:
        self._topic = Topic(settings, topic, connect=connect, refusal=refusal, compacted=True)
        self._last = LastOrders()

    def check(self, timeout_s: float = 5.0) -> None:
        """Ask for the topic's metadata. One that does not exist is made with the first order.

        Raises
        ------
        RevokeError
            If the brokers do not answer, or refuse us.
        """
        try:
            self._topic.check(timeout_s)
        except WireError as error:
            raise RevokeError(str(error)) from None

    def revoke(self, order: Order, timeout_s: float) -> None:
        """Publish that the agent is revoked, and return once all in-sync replicas have it.

        Raises
        ------
        RevokeError
            If that was not confirmed within `timeout_s`, or a later order went out before.
        """
        self._tell(order, timeout_s)

    def restore(self, order: Order, timeout_s: float) -> None:
        """Publish that the agent is active, likewise.

        Raises
        ------
        RevokeError
            If that was not confirmed within `timeout_s`, or a later order went out before.
        """
        self._tell(order, timeout_s)

    def verify(self, order: Order, timeout_s: float) -> None:
        """Nothing more to ask: every in-sync replica has confirmed the record.

        Reading it back would need a right to read that who only publishes need not have.
        """

    def close(self) -> None:
        """Nothing is kept open between orders."""

    def _tell(self, order: Order, timeout_s: float) -> None:
        self._last.admit(order)
        try:
            key, value = order.agent_id.encode(), json.dumps(record(order)).encode()
            self._topic.put(key, value, timeout_s)
        except UnicodeEncodeError:
            raise RevokeError("an id that is no Unicode text cannot be a record's key") from None
        except WireError as error:
            raise RevokeError(str(error)) from None
