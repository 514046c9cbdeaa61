"""A process that stores alerts and tells them, until somebody kills it."""

import os
import threading
import time
from multiprocessing.synchronize import Event
from typing import Final

from alerting.notify.slack import SlackReceiver
from alerting.trip_policy import Guards
from detectors.finding import Anomaly
from monitor import dispatcher
from monitor.config import StoreConfig
from monitor.config_source import KafkaConfig
from monitor.dispatcher import Dispatcher
from monitor.ledger import intake
from monitor.ledger.response import Response
from monitor.receiver_kinds import open_receiver
from monitor.store import Store
from tests.kit.inbox_server import webhook_receiver
from tests.kit.messages import anomaly
from tests.kit.slack_server import CHANNEL, TOKEN

ALERTS: Final = 6
"""So many alerts are stored in a life, one after the other."""
LEASE_S: Final = 0.3
RESPONSE: Final = Response(
    rules=[],
    guards=Guards(10, (), 900.0),
    receivers=("slack", "pager"),
    points=("registry",),
    quiet_s=3600.0,
    together_s=1e-6,
)


def odd(number: int) -> Anomaly:
    """What begins the alert of this number, which is an incident of its own."""
    return anomaly(
        anomaly_id=f"an-{number}",
        agent_id=f"agent-{number}",
        role=f"role-{number}",
        trace_id=f"run-{number}",
        offset=number,
    )


def live(url: str, slack_url: str, inbox_url: str, first: int, begun: Event) -> None:
    """Store the alerts from this number on, and tell whatever is to be told, for ever."""
    os.environ |= {"PAGER_SECRET": "tests-only-SECRET", "PAGER_URL": inbox_url}
    dispatcher.FIRST_BACKOFF_S = 0.02  # type: ignore[misc]
    store = Store.open(StoreConfig(url=url))
    receivers = [
        SlackReceiver(CHANNEL, TOKEN, slack_url, 5.0, gap_s=0.0),
        open_receiver(webhook_receiver(url_variable="PAGER_URL"), KafkaConfig()),
    ]
    running = Dispatcher(store, receivers, lease_s=LEASE_S, poll_s=0.02)
    running.start()
    begun.set()
    for number in range(first, first + ALERTS):
        with store.ledger() as ledger:
            intake.record(ledger, [odd(number)], RESPONSE, time.time())
        running.wake()
        time.sleep(0.01)
    threading.Event().wait()
