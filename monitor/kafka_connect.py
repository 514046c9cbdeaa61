"""Mends how kafka-python's clients begin: they hide why they fail, and leak a thread when they do.

Its bootstrap logs that a password was refused and tries again until its time is up; its clients'
constructors leave their network thread running when they raise.
"""

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

    def _remember(self, failure: Exception) -> None:
        self.last_failure = failure


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
            last_failure = client._manager.last_failure  # noqa: SLF001 -- it has no name for it
            client.close()
        raise error from last_failure
