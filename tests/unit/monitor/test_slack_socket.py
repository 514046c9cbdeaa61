import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
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
    mutes,
    outbox,
    requests,
    second_person,
    trip,
)
from monitor.ledger.response import Response
from monitor.slack_access import Access
from monitor.slack_desk import SlackDesk
from monitor.slack_socket import SlackSocket
from monitor.store import Store
from monitor.store.schema import requests as table
from tests.kit.messages import HOSTILE, anomaly, message
from tests.kit.slack_server import APP_TOKEN, CHANNEL, HANG, TOKEN, Answer, SlackServer

RESPONSE = Response(
    rules=[],
    guards=Guards(10, (), 900.0),
    receivers=("slack",),
    points=("registry",),
    quiet_s=3600.0,
)
ANN, BOB, EVE, GROUP = "U0ANN", "U0BOB", "U0EVE", "S0KILLERS"


def until(true: Callable[[], object], within_s: float = 20.0) -> None:
    end_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end_s, "it did not come true"
        time.sleep(0.01)


class Room:
    """A store, a Slack with its channel, and what runs between them."""

    def __init__(
        self,
        store: Store,
        slack: SlackServer,
        may_kill: tuple[str, ...] = (ANN, GROUP),
        may_act: tuple[str, ...] = (),
    ) -> None:
        self.store, self.slack = store, slack
        self.receiver = SlackReceiver(CHANNEL, TOKEN, slack.url, 5.0, buttons=True, gap_s=0.0)
        self.dispatcher = Dispatcher(store, [self.receiver], poll_s=0.05)
        web = SlackWeb(TOKEN, slack.url, 3.0)
        access = Access(web, may_kill, may_act)
        self.desk = SlackDesk(store, web, access, RESPONSE, self.dispatcher.wake)
        self.socket = SlackSocket(
            store,
            web,
            self.desk,
            access,
            app_token=APP_TOKEN,
            api_url=slack.url,
            channel=CHANNEL,
            observing=True,
            ping_s=0.2,
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


@pytest.fixture
def room(store: Store, slack: SlackServer) -> Iterator[Room]:
    made = Room(store, slack)
    made.open()
    yield made
    made.close()


def header(message: dict[str, Any]) -> str:
    return str(message["blocks"][0]["text"]["text"])


def test_who_acknowledges_is_shown_to_all(room: Room) -> None:
    room.alarm("payroll-7")
    (root,) = room.slack.roots
    room.people.wait_for(room.people.press("acknowledge", BOB))
    assert "is yours" in room.told(BOB)
    until(lambda: header(root) == "HIGH: alert acknowledged")
    assert f"slack:{BOB}" in json.dumps(root["blocks"])
    (entry,) = room.audited("alert acknowledged")
    assert entry["actor"] == f"slack:{BOB}"
    until(lambda: room.slack.replies(root["ts"]))
    (reply,) = room.slack.replies(root["ts"])
    assert header(reply) == "HIGH: alert acknowledged"


def test_a_kill_asks_for_the_reason_and_cuts_off(room: Room) -> None:
    room.alarm("payroll-7")
    room.people.wait_for(room.people.press("kill", ANN))
    until(lambda: room.slack.views)
    (view,) = room.slack.views
    assert "payroll-7" in json.dumps(view["blocks"])
    assert room.state_of("payroll-7") == AgentState.ACTIVE, "not before the reason is given"
    room.people.wait_for(room.people.submit(view, ANN, "sends data out"))
    assert "payroll-7 is being cut off" in room.told(ANN)
    with room.store.read() as ledger:
        (ordered,) = trip.list_trips(ledger)
    assert ordered.ordered_by == f"slack:{ANN}"
    assert ordered.reason == "sends data out"


def test_a_kill_without_a_reason_is_asked_again(room: Room) -> None:
    room.alarm("payroll-7")
    room.people.press("kill", ANN)
    until(lambda: room.slack.views)
    answer = room.people.wait_for(room.people.submit(room.slack.views[0], ANN, "  "))
    assert answer["response_action"] == "errors"
    assert room.state_of("payroll-7") == AgentState.ACTIVE
    assert room.rows() == []


def test_of_an_incident_of_several_one_is_chosen(room: Room) -> None:
    room.alarm("payroll-7", "payroll-8", "payroll-9")
    until(lambda: "3 agents" in json.dumps([root["blocks"] for root in room.slack.roots]))
    room.people.press("kill", ANN)
    until(lambda: room.slack.views)
    (view,) = room.slack.views
    (block,) = [b for b in view["blocks"] if b.get("block_id") == "agent"]
    options = {o["text"]["text"]: o["value"] for o in block["element"]["options"]}
    assert sorted(options) == ["payroll-7", "payroll-8", "payroll-9"]
    room.people.submit(view, ANN, "this one", agent=options["payroll-8"])
    assert "payroll-8" in room.told(ANN)
    assert room.state_of("payroll-8") != AgentState.ACTIVE
    assert room.state_of("payroll-7") == AgentState.ACTIVE


@pytest.mark.parametrize("verb", ["kill"])
def test_who_may_not_is_told_and_audited(room: Room, verb: str) -> None:
    room.alarm("payroll-7")
    room.people.press(verb, EVE)
    assert "slack.may_kill" in room.told(EVE)
    assert room.slack.views == []
    (entry,) = room.audited("slack refused")
    assert entry["actor"] == f"slack:{EVE}"
    assert entry["doc"]["verb"] == verb


def test_a_modal_that_somebody_else_sends_is_refused(room: Room) -> None:
    """Asked again when it is sent: who may not opened no modal, or lost the right meanwhile."""
    room.alarm("payroll-7")
    room.people.press("kill", ANN)
    until(lambda: room.slack.views)
    room.people.submit(room.slack.views[0], EVE, "because")
    assert "not allowed" in room.told(EVE)
    assert room.state_of("payroll-7") == AgentState.ACTIVE
    assert len(room.audited("slack refused")) == 1


def test_members_of_a_group_may_and_if_slack_does_not_say_they_may_not(room: Room) -> None:
    room.alarm("payroll-7")
    room.slack.fault = lambda p: Answer(500) if p.method == "usergroups.users.list" else None
    room.people.press("kill", BOB)
    assert "cannot be checked" in room.told(BOB)
    assert room.slack.views == []
    room.slack.fault = lambda _: None
    room.slack.groups[GROUP] = [BOB]
    room.people.press("kill", BOB)
    until(lambda: room.slack.views)


def test_nobody_may_kill_unless_listed_and_strangers_may_nothing(
    store: Store, slack: SlackServer
) -> None:
    room = Room(store, slack, may_kill=())
    room.open()
    try:
        room.alarm("payroll-7")
        room.people.press("kill", ANN)
        assert "nobody is listed" in room.told(ANN)
        room.people.press("acknowledge", EVE, team="T0OTHERS")
        assert "another workspace" in room.told(EVE)
        assert room.audited("alert acknowledged") == []
    finally:
        room.close()


def test_where_some_may_act_others_may_not(store: Store, slack: SlackServer) -> None:
    room = Room(store, slack, may_act=(BOB,))
    room.open()
    try:
        room.alarm("payroll-7")
        room.people.press("mute", EVE)
        assert "slack.may_act" in room.told(EVE)
        room.people.press("mute", BOB)
        assert "muted for an hour" in room.told(BOB)
        room.people.press("mute", ANN)  # who may kill may the rest, too
        assert "muted for an hour" in room.told(ANN)
        with room.store.read() as ledger:
            (mute,) = mutes.newest(ledger, now_s=time.time())
        assert mute.muted_by == f"slack:{BOB}"
        assert 3500 < mute.until - mute.since <= 3600
    finally:
        room.close()


def test_what_comes_twice_is_done_once(room: Room) -> None:
    """Slack sends again what it saw no acknowledgement of; also over another connection."""
    room.alarm("payroll-7")
    for _ in range(3):
        room.people.press("mute", BOB, click="7")
    room.people.press("kill", ANN)
    until(lambda: room.slack.views)
    envelope = room.people.submit(room.slack.views[0], ANN, "because")
    room.people.wait_for(envelope)
    room.people.cut()
    until(lambda: room.people.connected >= 2)
    room.people.wait_for(room.people.submit(room.slack.views[0], ANN, "because"))
    room.told(ANN)
    until(lambda: all(row.settled_at is not None for row in room.rows()))
    assert len(room.rows()) == 2
    with room.store.read() as ledger:
        assert len(trip.list_trips(ledger)) == 1
        assert len(mutes.newest(ledger, now_s=None)) == 1


def test_what_was_taken_in_before_a_crash_is_done_after_it(
    store: Store, slack: SlackServer
) -> None:
    room = Room(store, slack)
    with store.ledger() as ledger:
        intake.record(ledger, [anomaly()], RESPONSE, time.time())
        found = outbox.take_due(ledger, ["slack"], time.time(), 30.0, 1)
    incident = found[0].message().incident
    assert incident is not None
    doc = {
        "verb": "acknowledge", "about": "incident", "id": incident.incident_id,
        "user": BOB, "team": "T0TESTS", "channel": CHANNEL, "ts": "1.0",
    }  # fmt: skip
    with store.ledger() as ledger:
        assert requests.take_in(ledger, "r1", json.dumps(doc), asked_by="slack:U", now_s=1.0)
        assert not requests.take_in(ledger, "r1", json.dumps(doc), asked_by="slack:U", now_s=1.0)
        requests.take_in(ledger, "r0", "{}", asked_by="slack:U", now_s=0.0)  # another version's
    room.open()
    try:
        assert "is yours" in room.told(BOB)
        assert room.rows()[0].outcome.startswith("cannot be read")
    finally:
        room.close()


def test_envelopes_are_acknowledged_in_time_while_slack_and_the_store_are_slow(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both hang for longer than a test waits for an acknowledgement."""
    room.alarm("payroll-7")
    room.slack.fault = lambda p: HANG if p.method == "views.open" else None
    room.people.wait_for(room.people.press("kill", ANN))
    hold = threading.Event()
    real = requests.take_in

    def slow(*args: Any, **named: Any) -> bool:
        hold.wait(30)
        return real(*args, **named)

    monkeypatch.setattr("monitor.slack_socket.requests.take_in", slow)
    room.people.wait_for(room.people.press("acknowledge", BOB))
    assert room.rows() == [], "acknowledged before it was kept, for the store was too slow"
    hold.set()
    assert "is yours" in room.told(BOB)


def test_it_reconnects_when_slack_asks_and_when_the_connection_dies(room: Room) -> None:
    room.alarm("payroll-7")
    room.people.ask_to_reconnect()
    until(lambda: room.people.connected >= 2)
    room.people.cut()
    until(lambda: room.people.connected >= 3)
    until(lambda: room.socket.is_connected)
    room.people.wait_for(room.people.press("acknowledge", BOB))
    assert "is yours" in room.told(BOB)


def test_a_connection_that_slack_refuses_to_renew_is_said_and_had_again(room: Room) -> None:
    assert list(room.socket.troubles(0.0)) == []
    refused = Answer.error("invalid_auth")
    room.slack.fault = lambda p: refused if p.method == "apps.connections.open" else None
    room.people.ask_to_reconnect()
    until(lambda: len(room.slack.asked("apps.connections.open")) >= 2)
    room.people.cut()
    until(lambda: list(room.socket.troubles(0.0)))
    (trouble,) = room.socket.troubles(0.0)
    assert (trouble.kind, trouble.subject) == ("slack", "Socket Mode")
    assert "the app token is wrong" in trouble.text
    assert APP_TOKEN not in trouble.text
    room.slack.fault = lambda _: None
    until(lambda: not list(room.socket.troubles(0.0)))
    room.alarm("payroll-7")
    room.people.wait_for(room.people.press("acknowledge", BOB))
    assert "is yours" in room.told(BOB)


def test_slack_being_down_at_the_start_is_waited_for(
    store: Store, slack: SlackServer, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("monitor.slack_socket.FIRST_BACKOFF_S", 0.05)
    slack.script.extend([Answer(503, "down"), Answer.error("invalid_auth")])
    room = Room(store, slack)
    with caplog.at_level(logging.WARNING):
        room.open()
    room.close()
    assert "HTTP 503" in caplog.text
    assert "the app token is wrong" in caplog.text
    assert APP_TOKEN not in caplog.text


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


def test_a_question_is_approved_once_and_its_buttons_go(room: Room) -> None:
    asked = approval(room)
    room.people.press("approve", ANN)
    until(lambda: room.slack.views)
    room.people.submit(room.slack.views[0], ANN, "it mails strangers")
    assert "approved: payroll-7" in room.told(ANN)
    with room.store.read() as ledger:
        assert approvals.get(ledger, asked).decided_by == f"slack:{ANN}"
    assert room.state_of("payroll-7") != AgentState.ACTIVE
    until(lambda: "actions" not in [b["type"] for b in room.slack.roots[0]["blocks"]])


def test_a_question_is_declined(room: Room) -> None:
    approval(room)
    room.people.press("decline", ANN)
    until(lambda: room.slack.views)
    room.people.submit(room.slack.views[0], ANN, "as announced")
    assert "declined" in room.told(ANN)
    assert room.state_of("payroll-7") == AgentState.ACTIVE


def test_the_second_person_of_an_order_about_many_may_be_in_slack(room: Room) -> None:
    with room.store.ledger() as ledger:
        asked = second_person.ask(
            ledger, role="payroll", reason="odd", asked_by=f"slack:{ANN}", now_s=time.time(),
            lasts_s=900.0, receivers=["slack"],
        ).approval_id  # fmt: skip
    room.dispatcher.wake()
    until(lambda: room.slack.roots)
    assert "is role:payroll to be cut off?" in str(room.slack.roots[0]["blocks"])
    room.slack.groups[GROUP] = [BOB]
    for number, user in enumerate((ANN, BOB)):
        room.people.press("approve", user)
        until(lambda number=number: len(room.slack.views) > number)  # type: ignore[misc]
        room.people.submit(room.slack.views[number], user, "yes")
        said = room.told(user)
        if user == ANN:
            assert "second one" in said, "who asked is not the second person"
            time.sleep(0.3)
            assert "actions" in [b["type"] for b in room.slack.roots[0]["blocks"]]
    assert "approved: role:payroll" in said
    with room.store.read() as ledger:
        assert approvals.get(ledger, asked).decided_by == f"slack:{BOB}"


def test_expected_asks_why_and_teaches(room: Room) -> None:
    room.alarm("payroll-7")
    room.people.press("expected", BOB)
    until(lambda: room.slack.views)
    room.people.submit(room.slack.views[0], BOB, "a new supplier")
    assert "marked as expected" in room.told(BOB)
    until(lambda: header(room.slack.roots[0]) == "HIGH: alert was expected")
    assert "actions" not in [b["type"] for b in room.slack.roots[0]["blocks"]]


def test_the_slash_command_tells_how_things_stand(room: Room) -> None:
    room.alarm("payroll-7")
    room.people.wait_for(room.people.command("", BOB))
    said = room.told(BOB)
    assert "1 incidents are open" in said
    assert "payroll-7" in said
    assert "observing" in said
    room.people.command("status", EVE, channel="C0ELSEWHERE")
    assert "not allowed here" in room.told(EVE)
    room.people.command("help", BOB)
    assert "kill AGENT" in room.told(BOB, 2)


@pytest.mark.parametrize("agent", ["payroll-7", "a b", "<&>", "x" * 1024, "ünïcode-✓"])
def test_the_slash_command_kills_any_id_after_a_confirmation(room: Room, agent: str) -> None:
    typed = agent.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    room.people.command(f'kill "{typed}" it sends data out', ANN)
    until(lambda: room.slack.views)
    (view,) = room.slack.views
    assert view["blocks"][-1]["element"]["initial_value"] == "it sends data out"
    room.people.submit(view, ANN, "it sends data out")
    assert "is being cut off" in room.told(ANN)
    assert room.state_of(agent) != AgentState.ACTIVE


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_in_modals_stays_text(room: Room, text: str) -> None:
    agent = (text or "-")[:1000].encode("utf-8", "replace").decode()
    agent = agent.replace("\0", "")  # an event with it is a dead letter
    room.alarm(agent, f"{agent[:900]}-2")
    room.people.press("kill", ANN)
    until(lambda: room.slack.views)
    shown = json.dumps(room.slack.views[0], ensure_ascii=False)
    assert "mrkdwn" not in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize(
    "payload",
    [
        {}, {"type": "block_actions"}, {"type": "block_actions", "actions": []},
        {"type": "block_actions", "actions": [{"action_id": "tripswitch_kill", "value": 7}]},
        {"type": "view_submission", "view": {"private_metadata": "{"}},
        {"type": "view_submission", "view": None}, {"type": "shortcut"},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_read_is_acknowledged_and_left(room: Room, payload: dict[str, Any]) -> None:
    room.people.wait_for(room.people.push("interactive", payload))
    room.people.wait_for(room.people.push("events_api", payload))
    assert room.rows() == []


def test_no_secret_in_any_log(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for server in ("websockets.server", "websockets.client"):  # the other side, in this process
        caplog.set_level(logging.WARNING, server)
    room.alarm("payroll-7")
    room.slack.fault = lambda p: Answer(500) if p.method == "views.open" else None
    room.people.press("kill", ANN)
    assert "press it again" in room.told(ANN)
    room.people.cut()
    until(lambda: room.people.connected >= 2)
    for secret in (TOKEN, APP_TOKEN, "ticket=1"):
        assert secret not in caplog.text
