"""An enforcement point that is a Kafka topic: the last record of an agent says where it stands.

The topic is compacted and keyed by `agent_id`, so a gateway that reads it from the beginning knows
every agent that is cut off, and one that follows it hears of the next within milliseconds. A value
is JSON: `agent_id`, `state` (`revoked` or `active`), `order_seq`, `trip_id`, `reason`, `at`,
`ordered_by`. A reader ignores a record whose `order_seq` is lower than the agent's last.

What was not confirmed in time must not arrive later, behind a newer order. So each order has a
producer of its own, which gives the record up before the time is over, and whose sockets throw
away what they still hold when they are closed.
"""

import contextlib
import json
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaProducer  # type: ignore[import-untyped]
from kafka.errors import (  # type: ignore[import-untyped]
    AuthorizationError,
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from alerting.killswitch import Order
from alerting.ports import RevokeError
from alerting.revoke.orders import LastOrders, record

_CLOSE_S: Final = 0.5
_SOCKET_OPTIONS: Final = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)),  # on close, drop what is unsent
]


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

    name = "kafka"

    def __init__(
        self,
        settings: Callable[[], Mapping[str, Any]],
        topic: str,
        *,
        connect: Callable[..., Any],
        refusal: Callable[[Exception, str], str | None],
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._connect = connect
        self._refusal = refusal
        self._topic_exists = False
        self._last = LastOrders()

    def check(self, timeout_s: float = 5.0) -> None:
        """Ask for the topic's metadata. One that does not exist is made with the first order.

        Raises
        ------
        RevokeError
            If the brokers do not answer, or refuse us.
        """
        deadline = time.monotonic() + timeout_s
        with (
            self._worded("did not answer", timeout_s) as settings,
            self._admin(settings, deadline) as admin,
        ):
            (found,) = admin.describe_topics([self._topic])
            code = found["error_code"]
            if code and code != UnknownTopicOrPartitionError.errno:
                raise for_code(code)(self._topic)

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
        deadline = time.monotonic() + timeout_s
        self._last.admit(order)
        with self._worded("did not confirm", timeout_s) as settings:
            self._ensure_topic(settings, deadline)
            with self._producer(settings, deadline) as producer:
                key, value = order.agent_id.encode(), json.dumps(record(order)).encode()
                sent = producer.send(self._topic, key=key, value=value)
                sent.get(timeout=_left_s(deadline))

    @contextlib.contextmanager
    def _worded(self, failed: str, timeout_s: float) -> Iterator[Mapping[str, Any]]:
        """The settings for a block whose errors become one line for a person."""
        settings = dict(self._settings())
        try:
            yield settings
        except (KafkaError, OSError, ValueError) as error:
            if refusal := self._refusal(error, f"topic {self._topic}"):
                raise RevokeError(refusal) from None
            servers = ",".join(settings["bootstrap_servers"])
            said = " ".join(str(error.__cause__ or error).split())
            raise RevokeError(
                f"Kafka at {servers}, topic {self._topic}, {failed} within {timeout_s:g} s: {said}"
            ) from None

    def _ensure_topic(self, settings: Mapping[str, Any], deadline: float) -> None:
        if self._topic_exists:
            return
        with self._admin(settings, deadline) as admin:
            configs = {"cleanup.policy": "compact"}
            left_ms = int(_left_s(deadline) * 1000)
            # An authorisation to write is enough where somebody else has made the topic.
            with contextlib.suppress(TopicAlreadyExistsError, AuthorizationError):
                admin.create_topics({self._topic: {"configs": configs}}, timeout_ms=left_ms)
        self._topic_exists = True

    @contextlib.contextmanager
    def _admin(self, settings: Mapping[str, Any], deadline: float) -> Iterator[Any]:
        admin = self._connect(KafkaAdminClient, **{**settings, **_bounds(deadline)})
        try:
            yield admin
        finally:
            admin.close()

    @contextlib.contextmanager
    def _producer(self, settings: Mapping[str, Any], deadline: float) -> Iterator[Any]:
        bounds = _bounds(deadline)
        producer = self._connect(
            KafkaProducer,
            **{**settings, **bounds},
            acks="all",
            linger_ms=0,
            max_block_ms=bounds["request_timeout_ms"],
            # The record is given up while we still wait for it, never after.
            delivery_timeout_ms=bounds["request_timeout_ms"] + 1,
            allow_auto_create_topics=False,
            socket_options=_SOCKET_OPTIONS,
            metrics_enabled=False,
        )
        try:
            yield producer
        finally:
            producer.close(timeout=_CLOSE_S)


def _bounds(deadline: float) -> dict[str, int]:
    """Time limits for a client that must be done by the deadline."""
    left_ms = int(_left_s(deadline) * 1000)
    return {"bootstrap_timeout_ms": left_ms, "request_timeout_ms": max(1, int(left_ms * 0.9))}


def _left_s(deadline: float) -> float:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("no time left")
    return left_s
