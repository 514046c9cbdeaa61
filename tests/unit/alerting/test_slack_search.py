"""After a lost answer: was it posted, or not?"""

import logging
import time

import pytest

from alerting.ports import DeliveryError
from tests.kit.slack_server import (
    CHANNEL,
    DROP,
    HANG,
    LOSE,
    Answer,
    SlackServer,
)
from tests.kit.slack_threads import receiver, told


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


def test_a_hang_in_the_search_ends_in_time(slack: SlackServer) -> None:
    slack.script.append(HANG)
    with pytest.raises(DeliveryError) as caught:
        receiver(slack, timeout_s=0.3).send(told("opened"), "k1", attempt=2)
    assert caught.value.retryable
    assert slack.accepted == []
