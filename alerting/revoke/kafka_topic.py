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
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaProducer  # type: ignore[import-untyped]
from kafka.errors import (  # type: ignore[import-untyped]
    AuthorizationError,
    KafkaError,
    TopicAlreadyExistsError,
)

from alerting.killswitch import Order
from alerting.ports import RevokeError

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
    """

    name = "kafka"

    def __init__(self, settings: Callable[[], Mapping[str, Any]], topic: str) -> None:
        self._settings = settings
        self._topic = topic
        self._topic_exists = False
        self._last_seq: dict[str, int] = {}
        self._lock = threading.Lock()

    def apply(self, order: Order, timeout_s: float) -> None:
        """Publish an order, and return once all in-sync replicas have it.

        Raises
        ------
        RevokeError
            If that was not confirmed within `timeout_s`, or a later order went out before.
        """
        deadline = time.monotonic() + timeout_s
        with self._lock:
            if order.order_seq < self._last_seq.get(order.agent_id, 0):
                raise RevokeError(f"order {order.order_seq} is outdated")
            settings = dict(self._settings())
            try:
                self._ensure_topic(settings, deadline)
                self._publish(settings, order, deadline)
            except (KafkaError, OSError, ValueError) as error:
                servers = ",".join(settings["bootstrap_servers"])
                said = " ".join(str(error).split())
                raise RevokeError(
                    f"Kafka at {servers}, topic {self._topic}, did not confirm within "
                    f"{timeout_s:g} s: {said}"
                ) from None
            self._last_seq[order.agent_id] = order.order_seq

    def close(self) -> None:
        """Nothing is kept open between orders."""

    def _publish(self, settings: Mapping[str, Any], order: Order, deadline: float) -> None:
        with _producer(settings, deadline) as producer:
            sent = producer.send(self._topic, key=order.agent_id.encode(), value=_value(order))
            sent.get(timeout=_left_s(deadline))

    def _ensure_topic(self, settings: Mapping[str, Any], deadline: float) -> None:
        if self._topic_exists:
            return
        admin = KafkaAdminClient(**{**settings, **_bounds(deadline)})
        try:
            configs = {"cleanup.policy": "compact"}
            left_ms = int(_left_s(deadline) * 1000)
            # An authorisation to write is enough where somebody else has made the topic.
            with contextlib.suppress(TopicAlreadyExistsError, AuthorizationError):
                admin.create_topics({self._topic: {"configs": configs}}, timeout_ms=left_ms)
        finally:
            admin.close()
        self._topic_exists = True


@contextlib.contextmanager
def _producer(settings: Mapping[str, Any], deadline: float) -> Iterator[Any]:
    bounds = _bounds(deadline)
    producer = KafkaProducer(
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


def _value(order: Order) -> bytes:
    record = {
        "agent_id": order.agent_id,
        "state": "revoked" if order.direction == "revoke" else "active",
        "order_seq": order.order_seq,
        "trip_id": order.trip_id,
        "reason": order.reason,
        "at": order.ordered_at.isoformat(),
        "ordered_by": order.ordered_by,
    }
    return json.dumps(record).encode()
