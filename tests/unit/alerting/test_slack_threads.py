import logging
import time
from typing import Any

import pytest

from alerting.incident import Incident
from alerting.message import Message
from alerting.notify.slack import SlackReceiver
from alerting.ports import DeliveryError
from detectors.finding import Severity
from tests.kit.messages import AT, HOSTILE, alert, hostile_message, message
from tests.kit.slack_server import (
    CHANNEL,
    DROP,
    HANG,
    LOSE,
    TOKEN,
    Answer,
    SlackServer,
    block_faults,
)


def receiver(slack: SlackServer, **options: Any) -> SlackReceiver:
    values = {"timeout_s": 5.0, "gap_s": 0.0, **options}
    channel = values.pop("channel", CHANNEL)
    return SlackReceiver(channel, TOKEN, slack.url, **values)


def incident(**changes: Any) -> Incident:
    values: dict[str, Any] = {
        "incident_id": "inc-1",
        "severity": Severity.HIGH,
        "opened_at": AT,
        "last_anomaly_at": AT,
        "agents": ("payroll-7",),
    }
    return Incident(**{**values, **changes})


def told(kind: str, headline: str = "it does odd things", **changes: Any) -> Message:
    return message(**{"kind": kind, "headline": headline, "incident": incident(), **changes})


def header(posted: dict[str, Any]) -> str:
    return str(posted["blocks"][0]["text"]["text"])


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


@pytest.mark.parametrize("in_thread", [False, True])
@pytest.mark.parametrize("fault", [DROP, Answer(503, "down", takes=True), LOSE, Answer(503, "x")])
def test_after_a_lost_answer_the_key_is_looked_for_first(
    slack: SlackServer, fault: Answer, in_thread: bool
) -> None:
    to = receiver(slack)
    place = to.send(told("opened"), "k0") if in_thread else None
    news = told("raised" if in_thread else "opened")
    slack.fault = lambda posted: fault if posted.method == "chat.postMessage" else None
    with pytest.raises(DeliveryError) as caught:
        to.send(news, "k1", place)
    assert caught.value.retryable
    slack.fault = lambda _: None
    again = to.send(news, "k1", place, attempt=2)
    keys = [posted.key for posted in slack.accepted]
    assert keys == (["k0", "k1"] if in_thread else ["k1"])
    assert again == f"{CHANNEL}:{slack.roots[0]['ts']}"


def test_another_process_looks_for_the_key_of_a_repeat(slack: SlackServer) -> None:
    """As after a crash between sending and marking."""
    place = receiver(slack).send(told("opened"), "k1")
    assert receiver(slack).send(told("opened"), "k1", attempt=2) == place
    receiver(slack).send(told("raised"), "k2", place)
    receiver(slack).send(told("raised"), "k2", place, attempt=2)
    assert [posted.key for posted in slack.accepted] == ["k1", "k2"]


def test_what_slack_has_refused_is_not_looked_for(slack: SlackServer) -> None:
    to = receiver(slack)
    slack.script.extend([Answer.rate_limited("1"), Answer.rate_limited("2")])
    for attempt in (1, 2):
        with pytest.raises(DeliveryError) as caught:
            to.send(told("opened"), "k1", attempt=attempt)
        assert caught.value.retry_after_s == attempt
    to.send(told("opened"), "k1", attempt=3)
    assert slack.asked("conversations.history") == []
    assert len(slack.accepted) == 1


def test_doubt_outlives_a_refusal(slack: SlackServer) -> None:
    """Lost, then refused before the search: still nobody knows what became of the first."""
    to = receiver(slack)
    slack.script.extend([DROP, Answer.rate_limited("1"), Answer(500, "no search either")])
    for attempt in (1, 2, 3):
        with pytest.raises(DeliveryError):
            to.send(told("opened"), "k1", attempt=attempt)
    to.send(told("opened"), "k1", attempt=4)
    assert len(slack.accepted) == 1


def test_the_search_turns_pages(slack: SlackServer) -> None:
    to = receiver(slack)
    place = to.send(told("opened"), "k1")
    for number in range(250):
        slack.messages[f"{time.time():.0f}.9{number:05d}"] = {"ts": f"{time.time():.0f}.9"}
    assert receiver(slack).send(told("opened"), "k1", attempt=2) == place
    assert len(slack.asked("conversations.history")) == 3


@pytest.mark.parametrize("why", ["scope", "name"])
def test_without_a_search_it_is_posted_again_and_said_once(
    slack: SlackServer, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    if why == "scope":
        slack.scopes.remove("channels:history")
    to = receiver(slack, channel=CHANNEL if why == "scope" else "#alerts")
    if why == "name":
        slack.names["#alerts"] = CHANNEL
    with caplog.at_level(logging.WARNING):
        for key in ("k1", "k2"):
            slack.script.append(DROP)
            with pytest.raises(DeliveryError):
                to.send(told("opened"), key)
            to.send(told("opened"), key, attempt=2)
    count = {"scope": 4, "name": 3}[why]  # once it has posted it knows the channel's id
    assert len(slack.accepted) == count
    (record,) = caplog.records
    assert {"scope": "channels:history", "name": "slack.channel"}[why] in record.message


def test_what_comes_late_is_not_posted_behind_the_back_of_the_next_attempt(
    slack: SlackServer,
) -> None:
    to = receiver(slack, timeout_s=2.0)
    place = to.send(told("opened"), "k1")
    slack.script.append(Answer(slow_s=3.0))
    with pytest.raises(DeliveryError, match="did not answer"):
        to.send(told("raised"), "k2", place)  # the change of the root answers too late
    time.sleep(1.5)
    assert slack.replies(slack.roots[0]["ts"]) == []
    to.send(told("raised"), "k2", place, attempt=2)
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


def test_a_hang_in_the_search_ends_in_time(slack: SlackServer) -> None:
    slack.script.append(HANG)
    with pytest.raises(DeliveryError) as caught:
        receiver(slack, timeout_s=0.3).send(told("opened"), "k1", attempt=2)
    assert caught.value.retryable
    assert slack.accepted == []


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
