"""A room in Slack: its channel, the store behind it, and what runs between them."""

import time
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from alerting.killswitch import AgentState
from alerting.notify.slack import SlackReceiver
from alerting.notify.slack_web import SlackWeb
from alerting.trip_policy import Guards
from detectors.finding import Severity
from monitor.dispatcher import Dispatcher
from monitor.ledger import (
    agents,
    approvals,
    audit,
    intake,
    outbox,
)
from monitor.ledger.response import Response
from monitor.slack_access import Access
from monitor.slack_desk import SlackDesk
from monitor.slack_socket import SlackSocket
from monitor.store import Store
from monitor.store.schema import requests as table
from tests.kit.messages import anomaly, message
from tests.kit.slack_server import APP_TOKEN, CHANNEL, TOKEN, SlackServer
from tests.kit.waiting import until

RESPONSE = Response(
    rules=[],
    guards=Guards(10, (), 900.0),
    receivers=("slack",),
    points=("registry",),
    quiet_s=3600.0,
)
ANN, BOB, EVE, GROUP = "U0ANN", "U0BOB", "U0EVE", "S0KILLERS"


class Room:
    """A store, a Slack with its channel, and what runs between them."""

    def __init__(
        self,
        store: Store,
        slack: SlackServer,
        may_kill: tuple[str, ...] = (ANN, GROUP),
        may_act: tuple[str, ...] = (),
        ping_s: float = 1.0,
    ) -> None:
        self.store, self.slack = store, slack
        self.response = replace(RESPONSE)
        self.receiver = SlackReceiver(CHANNEL, TOKEN, slack.url, 20.0, buttons=True, gap_s=0.0)
        self.dispatcher = Dispatcher(store, [self.receiver], poll_s=0.05)
        web = SlackWeb(TOKEN, slack.url, 10.0)
        access = Access(web, may_kill, may_act)
        self.desk = SlackDesk(store, web, access, self.response, self.dispatcher.wake)
        self.socket = SlackSocket(
            store,
            web,
            self.desk,
            access,
            app_token=APP_TOKEN,
            api_url=slack.url,
            channel=CHANNEL,
            response=self.response,
            ping_s=ping_s,
        )
        self.people = slack.people
        slack.groups.setdefault(GROUP, [])

    def open(self) -> None:
        self.dispatcher.start()
        self.socket.start()
        until(lambda: self.socket.is_connected)

    def close(self) -> None:
        self.socket.stop(5.0)
        self.dispatcher.stop(1.0)

    def alarm(self, *agent_ids: str, trace: str = "run-1") -> None:
        found = [
            anomaly(anomaly_id=f"an-{one}-{trace}", agent_id=one, trace_id=trace)
            for one in agent_ids
        ]
        with self.store.ledger() as ledger:
            intake.record(ledger, found, RESPONSE, time.time())
        self.dispatcher.wake()
        until(lambda: self.slack.roots)

    def told(self, user: str, times: int = 1) -> str:
        """What a user was told that nobody else sees, the last of so many times."""

        def mine() -> list[dict[str, Any]]:
            return [one for one in self.slack.ephemeral if one["user"] == user]

        until(lambda: len(mine()) >= times)
        text: str = mine()[-1]["blocks"][0]["elements"][0]["elements"][0]["text"]
        return text

    def audited(self, action: str) -> list[dict[str, Any]]:
        with self.store.read() as ledger:
            return [one for one in audit.entries(ledger, 100) if one["action"] == action]

    def state_of(self, agent_id: str) -> AgentState:
        with self.store.read() as ledger:
            return agents.state_of(ledger, agent_id)

    def rows(self) -> list[Any]:
        with self.store.read() as ledger:
            return list(ledger.execute(select(table).order_by(table.c.asked_at)))


def header(message: dict[str, Any]) -> str:
    return str(message["blocks"][0]["text"]["text"])


def approval(room: Room) -> str:
    with room.store.ledger() as ledger:
        asked = approvals.ask(
            ledger, kind="trip", subject="payroll-7", reason="odd", asked_by="rule:r",
            now_s=time.time(), lasts_s=900.0,
        )  # fmt: skip
        told = message(
            kind="trip_asked", agent_id="payroll-7", alert=None,
            severity=Severity.CRITICAL, approval_id=asked.approval_id,
        )  # fmt: skip
        outbox.enqueue(ledger, told, ["slack"], time.time(), identity=asked.approval_id)
    room.dispatcher.wake()
    until(lambda: room.slack.roots)
    return asked.approval_id
