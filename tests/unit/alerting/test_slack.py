import logging
import socket

import pytest

from alerting.notify.contract import stopwatch
from alerting.notify.slack import SlackReceiver
from alerting.ports import DeliveryError
from tests.kit.messages import HOSTILE, hostile_message, message
from tests.kit.slack_server import (
    CHANNEL,
    DRIP,
    DROP,
    HANG,
    TOKEN,
    Answer,
    SlackServer,
)


def receiver(
    slack: SlackServer, *, token: str = TOKEN, channel: str = CHANNEL, timeout_s: float = 5.0
) -> SlackReceiver:
    return SlackReceiver(channel, token, slack.url, timeout_s)


def failure(slack: SlackServer, answer: Answer, *, timeout_s: float = 5.0) -> DeliveryError:
    slack.script.append(answer)
    with pytest.raises(DeliveryError) as caught:
        receiver(slack, timeout_s=timeout_s).send(message(), "k1")
    assert TOKEN not in caught.value.reason
    return caught.value


def test_a_message_arrives_with_its_key_and_nothing_for_slack_to_parse(slack: SlackServer) -> None:
    receiver(slack).send(message(), "key-1")
    (posted,) = slack.accepted
    assert posted.key == "key-1"
    assert posted.payload["metadata"]["event_type"] == "tripswitch_delivery"
    assert posted.payload["parse"] == "none"
    for switched_off in ("link_names", "mrkdwn", "unfurl_links", "unfurl_media"):
        assert posted.payload[switched_off] is False
    assert posted.payload["text"] == "HIGH: alert opened, agent payroll-7"


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_slack_takes_a_message_of_hostile_text(slack: SlackServer, text: str) -> None:
    receiver(slack).send(hostile_message(text), "k")
    assert len(slack.accepted) == 1
    assert len(slack.requests) == 1


@pytest.mark.parametrize(
    ("header", "retry_after_s"),
    [("30", 30.0), ("0", 0.0), (None, None), ("soon", None), ("-5", None), ("nan", None)],
)
def test_the_rate_limit_says_how_long_to_rest(
    slack: SlackServer, header: str | None, retry_after_s: float | None
) -> None:
    error = failure(slack, Answer.rate_limited(header))
    assert error.retryable
    assert error.retry_after_s == retry_after_s
    assert len(slack.requests) == 1, "the SDK must not retry by itself"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, "oops"),
        Answer(503, "<html>Service Unavailable</html>"),
        Answer(408, ""),
        Answer(200, "<html>log in to the guest network</html>"),
        Answer(200, "[1]"),
        Answer(200, "[]"),
        Answer(200, ""),
        Answer(200, '{"ok": true', {"Content-Type": "application/json; charset=nonsense"}),
        Answer.error("internal_error"),
        Answer.error("fatal_error"),
        DROP,
    ],
    ids=str,
)
def test_what_may_pass_is_retryable(slack: SlackServer, answer: Answer) -> None:
    error = failure(slack, answer)
    assert error.retryable
    assert error.retry_after_s is None
    assert "\n" not in error.reason


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer.error("invalid_auth"), "invalid_auth: the bot token is wrong"),
        (Answer.error("channel_not_found"), "check slack.channel"),
        (Answer.error("not_in_channel"), "invite the app"),
        (Answer.error("missing_scope"), "chat:write"),
        (Answer.error("some_new_code"), "some_new_code"),
        (Answer(404, "<html>no such page</html>"), "HTTP 404; check slack.api_url"),
        (Answer(403, "no"), "HTTP 403"),
    ],
    ids=str,
)
def test_what_will_not_pass_is_final_and_says_what_to_do(
    slack: SlackServer, answer: Answer, said: str
) -> None:
    error = failure(slack, answer)
    assert not error.retryable
    assert said in error.reason


@pytest.mark.parametrize("answer", [HANG, DRIP], ids=["hang", "drip"])
def test_an_attempt_ends_in_time(slack: SlackServer, answer: Answer) -> None:
    with stopwatch() as passed_s:
        error = failure(slack, answer, timeout_s=0.3)
        assert passed_s() < 3.0
    assert error.retryable
    assert "0.3 s" in error.reason


def test_nobody_listening_is_retryable_and_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/api/"
        with pytest.raises(DeliveryError, match="Connection refused") as caught:
            SlackReceiver(CHANNEL, TOKEN, url, 5.0).send(message(), "k")
    assert caught.value.retryable


def test_a_wrong_token_or_channel_is_final(slack: SlackServer) -> None:
    with pytest.raises(DeliveryError, match="invalid_auth"):
        receiver(slack, token="xoxb-wrong").send(message(), "k")
    with pytest.raises(DeliveryError, match="channel_not_found"):
        receiver(slack, channel="C0OTHER").send(message(), "k")
    assert slack.accepted == []


def test_a_refused_form_is_told_briefly_instead_of_not_at_all(slack: SlackServer) -> None:
    slack.script.append(Answer.error("msg_blocks_too_long"))
    receiver(slack).send(message(), "k")
    (posted,) = slack.accepted
    assert posted.key == "k"
    assert len(posted.payload["blocks"]) < len(slack.requests[0].payload["blocks"])
    assert "tripswitch kill payroll-7" in str(posted.payload["blocks"])


def test_a_message_refused_in_both_forms_is_final(slack: SlackServer) -> None:
    slack.script.extend([Answer.error("invalid_blocks")] * 2)
    with pytest.raises(DeliveryError, match="invalid_blocks") as caught:
        receiver(slack).send(message(), "k")
    assert not caught.value.retryable


@pytest.mark.parametrize("token", [f"{TOKEN}\nX-Evil: 1", f"{TOKEN}€"], ids=["break", "euro"])
def test_a_token_that_no_header_can_carry_is_quoted_nowhere(
    slack: SlackServer,
    token: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(DeliveryError) as caught:
        receiver(slack, token=token).send(message(), "k")
    assert TOKEN not in str(caught.value)
    assert TOKEN not in caplog.text
    assert TOKEN not in "".join(capfd.readouterr())
