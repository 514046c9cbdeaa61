"""A server that takes messages over HTTP, as a pager or a chat tool does; it can misbehave."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any, Final

from pydantic import TypeAdapter

from monitor.config_receivers import ReceiverConfig, WebhookReceiverConfig
from tests.kit.gateway_server import Answer, Asked, GatewayServer

DOWN: Final = Answer(503, b"<html>down for SECRET reasons</html>")
REFUSED: Final = Answer(400, b'{"errors": ["no such thing"]}')
HANG: Final = Answer(hang=True)


class InboxServer(GatewayServer):
    """Takes whatever is sent to it."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[Asked] = []

    def obey(self, asked: Asked) -> tuple[int, bytes]:
        self.taken.append(asked)
        return 202, b'{"status": "success"}'

    def bodies(self) -> list[Any]:
        return [json.loads(asked.body) for asked in self.taken]


@contextlib.contextmanager
def inbox_server() -> Iterator[InboxServer]:
    server = InboxServer()
    try:
        yield server
    finally:
        server.close()


def webhook_receiver(**changes: Any) -> WebhookReceiverConfig:
    """Settings of a webhook that is signed by the secret in the variable PAGER_SECRET."""
    settings: dict[str, Any] = {
        "kind": "webhook",
        "name": "pager",
        "secret_variable": "PAGER_SECRET",
        **changes,
    }
    made = TypeAdapter[Any](ReceiverConfig).validate_python(settings)
    assert isinstance(made, WebhookReceiverConfig)
    return made
