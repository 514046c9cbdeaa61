"""One thread an incident: its root up to date, the rest below it."""

import time

import pytest

from detectors.finding import Severity
from tests.kit.messages import HOSTILE, alert, hostile_message, message
from tests.kit.slack_server import (
    CHANNEL,
    Answer,
    SlackServer,
    block_faults,
)
from tests.kit.slack_threads import header, incident, receiver, told


def test_the_root_shows_how_things_stand_and_the_thread_what_became_of_it(
    slack: SlackServer,
) -> None:
    to = receiver(slack)
    place = to.send(told("opened"), "k1")
    (root,) = slack.roots
    assert place == f"{CHANNEL}:{root['ts']}"
    assert to.send(told("raised", "worse", severity=Severity.CRITICAL), "k2", place) == place
    assert to.send(told("updated", "more of it"), "k3", place) == place
    over = told("resolved", "nothing any more", incident=incident(state="resolved"))
    assert to.send(over, "k4", place) == place
    assert len(slack.roots) == 1
    assert header(root) == "HIGH: alert resolved"
    assert [header(reply) for reply in slack.replies(root["ts"])] == [
        "CRITICAL: alert raised",
        "HIGH: alert resolved",
    ]
    assert root["metadata"]["event_payload"]["key"] == "k1", "a change leaves the key as it is"
    raised, resolved = slack.replies(root["ts"])
    assert raised["reply_broadcast"], "what is critical is seen in the channel, too"
    assert "reply_broadcast" not in resolved
    assert "why" not in str(resolved["blocks"]), "the root tells that"


def test_a_message_without_an_incident_stands_alone(slack: SlackServer) -> None:
    assert receiver(slack).send(message(), "k1") is None
    assert len(slack.roots) == 1


def test_a_root_that_somebody_deleted_is_posted_again(slack: SlackServer) -> None:
    to = receiver(slack)
    place = to.send(told("opened"), "k1")
    slack.messages.clear()
    moved = to.send(told("raised"), "k2", place)
    assert moved != place
    (root,) = slack.roots
    assert moved == f"{CHANNEL}:{root['ts']}"
    assert slack.replies(root["ts"]) == []


def test_a_root_that_may_not_be_changed_is_replied_to(slack: SlackServer) -> None:
    to = receiver(slack)
    place = to.send(told("opened"), "k1")
    slack.script.append(Answer.error("edit_window_closed"))
    assert to.send(told("resolved"), "k2", place) == place
    assert len(slack.replies(slack.roots[0]["ts"])) == 1


def test_one_message_a_second(slack: SlackServer) -> None:
    to = receiver(slack, gap_s=0.2)
    began_s = time.monotonic()
    for key in ("k1", "k2", "k3"):
        to.send(message(), key)
    assert time.monotonic() - began_s >= 0.4


def test_what_is_urgent_does_not_wait_for_its_turn(slack: SlackServer) -> None:
    to = receiver(slack, gap_s=3600.0)
    for key in ("k1", "k2"):
        to.send(message(severity=Severity.CRITICAL), key)
    assert len(slack.accepted) == 2


def test_an_incident_of_many_names_as_many_as_there_is_room_for(slack: SlackServer) -> None:
    names = tuple(f"agent-{number}-{'x' * 60}" for number in range(20))
    storm = incident(
        agents=names,
        agent_count=5000,
        anomaly_count=12_000,
        bond="fleet",
        factors=(("version", "2.4.0 <!channel>", 0.98),),
        detectors=("new_target",) * 50,
    )
    receiver(slack).send(told("opened", incident=storm, severity=Severity.CRITICAL), "k1")
    (root,) = slack.roots
    shown = str(root["blocks"])
    assert "5,000 agents" in shown
    assert "agent-0-" in shown
    assert "more" in shown
    assert "12,000" in shown
    assert root["text"] == "CRITICAL: alert opened, 5,000 agents"


def test_the_owner_is_mentioned_and_nobody_else(slack: SlackServer) -> None:
    to = receiver(slack)
    to.send(told("opened", owner="payments", mention="S0PAY"), "k1")
    to.send(told("opened", owner="<!channel>", mention="<!channel>"), "k2")
    first, second = slack.roots
    assert '"usergroup_id": "S0PAY"' in str(first["blocks"]).replace("'", '"')
    assert "usergroup" not in str(second["blocks"])


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_incidents_stay_text(slack: SlackServer, text: str) -> None:
    about = incident(
        incident_id=text, agents=(text,) * 20, agent_count=20, common=text, bond="role",
        detectors=(text,), owner=text, factors=((text, text, 0.5),),
    )  # fmt: skip
    hostile = hostile_message(text).model_copy(
        update={"incident": about, "mention": text, "owner": text, "approval_id": text}
    )
    to = receiver(slack, buttons=True)
    place = to.send(hostile, "k1")
    to.send(hostile.model_copy(update={"kind": "raised"}), "k2", place)
    assert len(slack.accepted) == 2
    assert block_faults(slack.roots[0]["blocks"]) == []


def buttons(slack: SlackServer) -> list[str]:
    blocks = slack.roots[-1]["blocks"]
    return [b["text"]["text"] for block in blocks for b in block.get("elements", [])
            if b["type"] == "button"]  # fmt: skip


def test_buttons_are_there_as_long_as_they_can_do_something(slack: SlackServer) -> None:
    to = receiver(slack, buttons=True)
    place = to.send(told("opened"), "k1")
    assert buttons(slack) == ["Acknowledge", "Expected …", "Mute 1 h", "Kill …"]
    to.send(told("acknowledged", incident=incident(state="acknowledged")), "k2", place)
    assert buttons(slack) == ["Expected …", "Mute 1 h", "Kill …"]
    to.send(told("resolved", incident=incident(state="resolved")), "k3", place)
    assert buttons(slack) == []
    to.send(message(kind="trip_asked", approval_id="0af3", alert=None, agent_id="a",
                    severity=Severity.HIGH), "k4")  # fmt: skip
    assert buttons(slack) == ["Approve …", "Decline …"]
    to.send(message(alert=alert(state="resolved")), "k5")
    assert buttons(slack) == []


def test_a_critical_agent_in_a_storm_is_told_whole_and_in_the_channel(slack: SlackServer) -> None:
    to = receiver(slack, buttons=True)
    storm = incident(agents=("a", "payroll-7"), agent_count=60, bond="fleet")
    place = to.send(told("opened", incident=storm), "k1")
    to.send(told("opened", incident=storm, severity=Severity.CRITICAL), "k2", place)
    (reply,) = slack.replies(slack.roots[0]["ts"])
    assert reply["reply_broadcast"]
    assert "tripswitch kill payroll-7" in str(reply["blocks"])
    assert reply["text"] == "CRITICAL: alert opened, agent payroll-7"


def test_a_question_in_a_thread_has_its_buttons_there(slack: SlackServer) -> None:
    to = receiver(slack, buttons=True)
    place = to.send(told("opened"), "k1")
    to.send(told("trip_asked", approval_id="0af3"), "k2", place)
    (reply,) = slack.replies(slack.roots[0]["ts"])
    assert "approval:0af3" in str(reply["blocks"])
    assert "tripswitch_acknowledge" not in str(reply["blocks"])


def test_without_socket_mode_there_are_no_buttons(slack: SlackServer) -> None:
    receiver(slack).send(told("opened"), "k1")
    assert buttons(slack) == []
