"""Envelopes are acknowledged in time, and done once."""

import json
import logging
import threading
import time
from contextlib import closing
from typing import Any

import pytest

from monitor.ledger import (
    intake,
    mutes,
    outbox,
    requests,
    trip,
)
from monitor.store import Store
from tests.kit.messages import anomaly
from tests.kit.slack_room import ANN, BOB, RESPONSE, Room
from tests.kit.slack_server import APP_TOKEN, CHANNEL, HANG, TOKEN, Answer, SlackServer
from tests.kit.waiting import WAIT_S, until


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
    with closing(room):
        room.open()
        assert "is yours" in room.told(BOB)
        assert room.rows()[0].outcome.startswith("cannot be read")


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
        hold.wait(2 * WAIT_S)
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


def test_a_connection_that_ends_without_a_word_is_noticed_before_any_ping(
    store: Store, slack: SlackServer
) -> None:
    with closing(Room(store, slack, ping_s=60.0)) as room:
        room.open()
        room.people.cut()
        until(lambda: not room.socket.is_connected)


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
    with closing(Room(store, slack)) as room, caplog.at_level(logging.WARNING):
        room.open()
    assert "HTTP 503" in caplog.text
    assert "the app token is wrong" in caplog.text
    assert APP_TOKEN not in caplog.text


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
