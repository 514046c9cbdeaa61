"""What people do in Slack, and what comes of it."""

import json
import time
from dataclasses import replace

import pytest

from alerting.killswitch import AgentState
from alerting.trip_policy import Rule
from monitor.ledger import (
    approvals,
    second_person,
    trip,
)
from tests.kit.messages import HOSTILE
from tests.kit.slack_room import ANN, BOB, EVE, GROUP, RESPONSE, Room, approval, header
from tests.kit.waiting import until


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


def test_the_slash_command_goes_by_the_rules_in_force(room: Room) -> None:
    """A reload arms a rule, and disarms it again."""
    armed = replace(RESPONSE, rules=[Rule("r", mode="enforce")])
    for times, (now, said) in enumerate(
        [(RESPONSE, "observing"), (armed, "armed"), (RESPONSE, "observing")], 1
    ):
        room.response.follow(now)
        room.people.command("", BOB)
        assert room.told(BOB, times).splitlines()[-1].startswith(said)


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
