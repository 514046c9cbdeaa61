"""Fixtures that several modules of this floor ask for."""

from collections.abc import Iterator
from typing import Any

import pytest

from alerting.revoke.webhook import WebhookPoint
from monitor.webhooks import open_webhook
from tests.kit.gateway_server import SECRET, TOKEN, GatewayServer, gateway_server
from tests.kit.points import Open, webhook


@pytest.fixture
def gateway() -> Iterator[GatewayServer]:
    with gateway_server() as server:
        yield server


@pytest.fixture
def open_at(monkeypatch: pytest.MonkeyPatch) -> Open:
    monkeypatch.setenv("GATEWAY_SECRET", SECRET)
    monkeypatch.setenv("GATEWAY_TOKEN", TOKEN)

    def opened(gateway: GatewayServer, **changes: Any) -> WebhookPoint:
        named = {"secret_variable": "GATEWAY_SECRET", "token_variable": "GATEWAY_TOKEN"}
        return open_webhook(webhook(gateway.url, **named, **changes))

    return opened
