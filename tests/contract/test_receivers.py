"""What the dispatcher relies on, held by every receiver alike."""

import errno
import io
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from alerting.notify.slack import SlackReceiver
from alerting.notify.terminal import TerminalReceiver
from alerting.ports import DeliveryError, Receiver
from tests.kit.messages import HOSTILE, hostile_message, message
from tests.kit.slack_server import CHANNEL, HANG, TOKEN, Answer, SlackServer

KEY = "0123456789abcdef0123456789abcdef"
TIMEOUT_S = 0.5


class Screen(io.StringIO):
    """A stream that can be full, gone or slow to be written to, as a real one can."""

    fault: Exception | None = None

    def write(self, text: str) -> int:
        if self.fault is not None:
            raise self.fault
        return super().write(text)


@dataclass
class Bench:
    """One receiver, and how to make its outside misbehave."""

    receiver: Receiver
    told: Callable[[], list[str]]
    """What people got to see, one text a message."""
    fail: dict[str, Callable[[], None]]
    """`retryable` and `final` make the next delivery fail so; `hang` only if that can be."""
    secrets: tuple[str, ...] = field(default=())


@pytest.fixture
def terminal_bench() -> Bench:
    screen = Screen()

    def fault(error: Exception) -> Callable[[], None]:
        return lambda: setattr(screen, "fault", error)

    return Bench(
        TerminalReceiver(screen),
        told=lambda: [part for part in screen.getvalue().split("HIGH  ") if part],
        fail={
            "retryable": fault(OSError(errno.ENOSPC, "No space left on device")),
            "final": fault(BrokenPipeError(errno.EPIPE, "Broken pipe")),
        },
    )


@pytest.fixture
def slack_bench(slack: SlackServer) -> Bench:
    return Bench(
        SlackReceiver(CHANNEL, TOKEN, slack.url, TIMEOUT_S),
        told=lambda: [str(posted.payload) for posted in slack.accepted],
        fail={
            "retryable": lambda: slack.script.append(Answer(503, "<html>down</html>")),
            "final": lambda: slack.script.append(Answer.error("invalid_auth")),
            "hang": lambda: slack.script.append(HANG),
        },
        secrets=(TOKEN, "SECRET"),
    )


@pytest.fixture(params=["terminal", "slack"])
def bench(request: pytest.FixtureRequest) -> Bench:
    made: Bench = request.getfixturevalue(f"{request.param}_bench")
    assert made.receiver.name == request.param
    return made


def test_it_tells_what_why_and_how_to_kill(bench: Bench) -> None:
    bench.receiver.send(message(), KEY)
    (told,) = bench.told()
    for part in ("alert opened", "bank.example", "about one in 2,500", "agent-actions"):
        assert part in told
    assert "tripswitch kill payroll-7 --reason" in told


def test_a_repeat_can_be_seen_as_one(bench: Bench) -> None:
    bench.receiver.send(message(), KEY)
    bench.receiver.send(message(), KEY)
    first, second = bench.told()
    assert first == second
    assert KEY[:11] in first


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_told_as_text(bench: Bench, text: str) -> None:
    bench.receiver.send(hostile_message(text), KEY)
    (told,) = bench.told()
    assert all(char.isprintable() or char == "\n" for char in told)


@pytest.mark.parametrize("kind", ["retryable", "final"])
def test_a_failure_says_whether_to_try_again(bench: Bench, kind: str) -> None:
    bench.fail[kind]()
    with pytest.raises(DeliveryError) as caught:
        bench.receiver.send(message(), KEY)
    assert caught.value.retryable is (kind == "retryable")
    assert caught.value.reason.isprintable()
    assert caught.value.reason == str(caught.value)
    assert bench.told() == []


def test_it_keeps_its_time_limit(slack_bench: Bench) -> None:
    """Only of receivers that wait for an outside; the terminal's stream has no time limit."""
    bench = slack_bench
    bench.fail["hang"]()
    began = time.monotonic()
    with pytest.raises(DeliveryError) as caught:
        bench.receiver.send(message(), KEY)
    assert time.monotonic() - began < TIMEOUT_S + 1
    assert caught.value.retryable


def test_no_secret_in_any_error_or_log(
    bench: Bench, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    for kind in bench.fail:
        bench.fail[kind]()
        with pytest.raises(DeliveryError) as caught:
            bench.receiver.send(message(), KEY)
        said += [str(caught.value), repr(caught.value), caught.value.reason]
    everything = "\n".join([*said, caplog.text, *capfd.readouterr()])
    for secret in bench.secrets:
        assert secret not in everything


def test_it_can_be_closed_twice(bench: Bench) -> None:
    bench.receiver.close()
    bench.receiver.close()
