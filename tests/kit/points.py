"""Settings of points for the gateway of the kit, and plugins in an installed package."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from alerting.revoke.webhook import WebhookPoint
from monitor.config_points import PointConfig, WebhookPointConfig

Open = Callable[..., WebhookPoint]
"""Opens a webhook at a gateway, with changes to its settings."""

PLUGIN = """
import json
import time

from alerting.notify.record import record
from alerting.ports import DeliveryError, RevokeError
from alerting.revoke.orders import LastOrders

STATES = {}


class Point:
    name = "in-memory"

    def __init__(self, settings):
        if "url" not in settings:
            raise ValueError("url is missing")
        self.last = LastOrders()

    def check(self, timeout_s=5.0):
        pass

    def revoke(self, order, timeout_s):
        self.last.admit(order)
        STATES[order.agent_id] = "revoked"

    def restore(self, order, timeout_s):
        self.last.admit(order)
        STATES[order.agent_id] = "active"

    def verify(self, order, timeout_s):
        state = "revoked" if order.direction == "revoke" else "active"
        return STATES.get(order.agent_id) == state

    def close(self):
        pass


class Pager:
    name = "whatever it likes"
    TOLD = []
    NEXT = []

    def __init__(self, settings):
        if "url" not in settings:
            raise ValueError("url is missing")

    def send(self, message, key, thread=None, attempt=1):
        how = Pager.NEXT.pop() if Pager.NEXT else None
        if how == "hang":
            time.sleep(60)
        if how == "fails":
            raise RuntimeError("token=s3cret")
        if how is not None:
            raise DeliveryError(how + "\x1b[2J, it says", retryable=how == "retryable")
        Pager.TOLD.append(json.dumps(record(message, key)))
        return "place-1"

    def close(self):
        pass


def not_a_point(settings):
    return object()


def fails(settings):
    raise RuntimeError("token=s3cret")
"""
ENTRY_POINTS = """
[tripswitch.enforcement_points]
in-memory = tripswitch_in_memory:Point
no-point = tripswitch_in_memory:not_a_point
fails = tripswitch_in_memory:fails
not-there = tripswitch_in_memory:missing
no-module = tripswitch_nowhere:Point

[tripswitch.receivers]
pager = tripswitch_in_memory:Pager
no-receiver = tripswitch_in_memory:not_a_point
"""


def webhook(url: str, **changes: Any) -> WebhookPointConfig:
    """A webhook for `tests.kit.gateway_server`."""
    settings: dict[str, Any] = {
        "kind": "webhook",
        "name": "gateway",
        "url": url,
        "revoke": {"path": "/agents/$agent_id/block"},
        "restore": {"path": "/agents/$agent_id/unblock"},
        "verify": {"path": "/agents/$agent_id", "field": "agent.state", "revoked": ["revoked"]},
        "check": {"path": "/ready"},
        **changes,
    }
    made = TypeAdapter[Any](PointConfig).validate_python(settings)
    assert isinstance(made, WebhookPointConfig)
    return made


def install_plugin(directory: Path) -> None:
    """Put the plugin's package where Python looks for packages."""
    (directory / "tripswitch_in_memory.py").write_text(PLUGIN)
    about = directory / "tripswitch_in_memory-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: tripswitch-in-memory\nVersion: 1.0\n"
    )
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
