"""Mends what kafka-python 3.0 does wrong where clients begin.

- Its bootstrap logs that a password was refused and tries again until its time is up.
- An answer that comes together with the end of the connection, as a refusal does, is thrown away.
- At debug level it logs its settings and all that it sends, passwords included.
- A client's constructor leaves its network thread running when it raises.
- A group's leader that rejoins because partitions were added, in a `poll` that ends before the join
  does, forgets that it was joining: it never learns its assignment, and stops its heartbeats.
- A join that ends between two polls is thrown away, and begun again: members that are busy, as they
  hold each other up, may join for ever.

There are no public names for what this touches, so `pyproject.toml` holds the library to one minor
version.
"""

# ruff: noqa: SLF001 -- that is what this module is for

import logging
from typing import Any

from kafka.errors import (  # type: ignore[import-untyped]
    AuthorizationError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.compat import KafkaNetClient  # type: ignore[import-untyped]
from kafka.net.manager import KafkaConnectionManager  # type: ignore[import-untyped]
from kafka.net.selector import NetworkSelector  # type: ignore[import-untyped]

_REFUSALS = (
    AuthorizationError,
    IllegalSaslStateError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)


logging.getLogger("kafka").setLevel(logging.INFO)


class _Connections(KafkaConnectionManager):  # type: ignore[misc]
    """Keeps why a connection failed; after a refusal there are no more attempts."""

    last_failure: Exception | None = None

    def get_connection(self, node_id: Any, **settings: Any) -> Any:
        """A connection, new or in use."""
        if isinstance(self.last_failure, _REFUSALS):
            raise self.last_failure
        is_new = node_id not in self._conns
        connection = super().get_connection(node_id, **settings)
        if is_new:
            connection.init_future.add_errback(self._remember)
        return connection

    async def _build_transport(self, *arguments: Any, **settings: Any) -> Any:
        transport = await super()._build_transport(*arguments, **settings)
        receive = transport._sock_recv

        def receive_all() -> tuple[bytes, Exception | None]:
            data, error = receive()
            return data, None if data else error  # the end is seen again by the next read

        transport._sock_recv = receive_all
        return transport

    def _remember(self, failure: Exception) -> None:
        self.last_failure = failure


class _Unread:
    """A join whose end nobody has looked at: what is done is begun anew, so it is not done."""

    is_done = False

    def __init__(self, join: Any) -> None:
        self.add_callback, self.add_errback = join.add_callback, join.add_errback


def finish_joins(consumer: Any) -> None:
    """Let a consumer's group join go on over as many polls as it takes, and end between them."""
    coordinator = consumer._coordinator
    needs_rejoin, join_group = coordinator.need_rejoin, coordinator.join_group_async
    coordinator.need_rejoin = lambda: coordinator.rejoining or needs_rejoin()

    async def go_on_joining(timeout_ms: float) -> Any:
        if coordinator._join_task is not None:
            coordinator._join_task = _Unread(coordinator._join_task)
        return await join_group(timeout_ms=timeout_ms)

    coordinator.join_group_async = go_on_joining


def connect(kind: Any, **settings: Any) -> Any:
    """Make a client: `KafkaConsumer`, `KafkaProducer` or `KafkaAdminClient`.

    Raises
    ------
    kafka.errors.KafkaError
        Why it cannot connect; where that is a time limit, the last attempt's failure is its cause.
    """
    made: list[Any] = []

    def make_client(**configs: Any) -> Any:
        net = NetworkSelector(**configs)
        made.append(KafkaNetClient(net, _Connections(net, **configs), **configs))
        return made[-1]

    try:
        return kind(kafka_client=make_client, **settings)
    except KafkaError as error:
        last_failure = None
        for client in made:
            last_failure = client._manager.last_failure
            client.close()
        raise error from last_failure
