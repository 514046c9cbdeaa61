"""A Kafka topic that records are put into one by one, each under one time limit.

What was not confirmed in time must not arrive later, behind a newer record. So each record has a
producer of its own, which gives it up before the time is over, and whose sockets throw away what
they still hold when they are closed.
"""

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaProducer  # type: ignore[import-untyped]
from kafka.errors import (  # type: ignore[import-untyped]
    AuthorizationError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from alerting.wire.answer import WireError

_CLOSE_S: Final = 0.5
_SOCKET_OPTIONS: Final = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)),  # on close, drop what is unsent
]
_TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError)


class Topic:
    """One topic.

    Parameters
    ----------
    settings
        Gives kafka-python's keyword arguments for reaching the brokers.
    name
        Created, with the broker's defaults else, if it does not exist.
    connect
        Makes a client of a kind, by keyword arguments.
    refusal
        Says in words what is wrong where waiting cannot help, such as a refused password, given
        the error and what was being used; else None.
    compacted
        Whether a topic that is created keeps the last record of each key for ever.
    """

    def __init__(
        self,
        settings: Callable[[], Mapping[str, Any]],
        name: str,
        *,
        connect: Callable[..., Any],
        refusal: Callable[[Exception, str], str | None],
        compacted: bool,
    ) -> None:
        self._settings = settings
        self._name = name
        self._connect = connect
        self._refusal = refusal
        self._configs = {"cleanup.policy": "compact" if compacted else "delete"}
        self._exists = False

    def check(self, timeout_s: float) -> None:
        """Ask for the topic's metadata. One that does not exist is made with the first record.

        Raises
        ------
        WireError
            If the brokers do not answer, or refuse us.
        """
        deadline = time.monotonic() + timeout_s
        with (
            self._worded("did not answer", timeout_s) as settings,
            self._admin(settings, deadline) as admin,
        ):
            (found,) = admin.describe_topics([self._name])
            code = found["error_code"]
            if code and code != UnknownTopicOrPartitionError.errno:
                raise for_code(code)(self._name)

    def put(self, key: bytes, value: bytes, timeout_s: float) -> None:
        """Publish a record, and return once all in-sync replicas have it.

        Raises
        ------
        WireError
            If that was not confirmed within `timeout_s`; then it will not arrive later.
        """
        deadline = time.monotonic() + timeout_s
        with self._worded("did not confirm", timeout_s) as settings:
            self._ensure_topic(settings, deadline)
            with self._producer(settings, deadline) as producer:
                producer.send(self._name, key=key, value=value).get(timeout=_left_s(deadline))

    @contextlib.contextmanager
    def _worded(self, failed: str, timeout_s: float) -> Iterator[Mapping[str, Any]]:
        """The settings for a block whose errors become one line for a person."""
        settings = dict(self._settings())
        try:
            yield settings
        except (KafkaError, OSError, ValueError) as error:
            if refusal := self._refusal(error, f"topic {self._name}"):
                raise WireError(refusal, retryable=False) from None
            servers = ",".join(settings["bootstrap_servers"])
            said = " ".join(str(error.__cause__ or error).split())
            raise WireError(
                f"Kafka at {servers}, topic {self._name}, {failed} within {timeout_s:g} s: {said}",
                retryable=not isinstance(error, _TOO_LARGE),
            ) from None

    def _ensure_topic(self, settings: Mapping[str, Any], deadline: float) -> None:
        if self._exists:
            return
        with self._admin(settings, deadline) as admin:
            left_ms = int(_left_s(deadline) * 1000)
            # An authorisation to write is enough where somebody else has made the topic.
            with contextlib.suppress(TopicAlreadyExistsError, AuthorizationError):
                admin.create_topics({self._name: {"configs": self._configs}}, timeout_ms=left_ms)
        self._exists = True

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
