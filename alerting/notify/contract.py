"""What every receiver must do, as tests that a plugin's author runs, too.

Subclass it in a test module under a name that begins with `Test`, and say how to make the
receiver, what its outside got to see, and how to make that outside misbehave:

    class TestMyPager(ReceiverContract):
        def open_receiver(self):
            return MyPager({"url": my_server.url})

        def told(self):
            return [request.text for request in my_server.requests]

        def misbehave(self, how):
            return my_server.next_answer({"retryable": 503, "final": 400}[how])

Each test makes a receiver of its own. pytest collects it; nothing here needs pytest.
"""

import contextlib
import io
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args

from alerting.alert import Alert, alert_id
from alerting.incident import Incident
from alerting.message import Message, MessageKind
from alerting.ports import DeliveryError, Receiver
from detectors.finding import Anomaly, Severity, anomaly_id

Misbehaviour = Literal["retryable", "final", "hang"]

KEY: Final = "0123456789abcdef0123456789abcdef"
HOSTILE: Final = (
    "<!channel> <@U024BE7LH> @here <https://evil.example|click> :tada:",
    "*bold* _italic_ [link](https://evil.example) <b>html</b> ```code```",
    '"}, "severity": "low", "x": {"',
    "$headline ${token} $token %s {0}",
    "line\r\nX-Injected: yes\x1b[2J\x07\x00\x85\u2028",
    "\u202eexe.txt\u202c \u2066isolate\u2069 zero\u200b\u2060width",
    "../../admin?x=1#y",
    "lone \ud800 surrogate",
    "naïve-агент-代理",
    "z" + "\u0335" * 200,
    "x" * 1_000_000,
    "",
)
"""Texts that try to be more than text."""
_NAP_S: Final = 0.1
_AT: Final = datetime(2026, 2, 1, 3, 0, tzinfo=UTC)


class ReceiverContract:
    """Base of the tests.

    Attributes
    ----------
    timeout_s
        The time limit that `open_receiver` gives its receivers.
    secrets
        What must never be said.
    """

    timeout_s: float = 2.0
    secrets: tuple[str, ...] = ()

    def open_receiver(self) -> Receiver:
        """A receiver that is ready, made anew for each test."""
        raise NotImplementedError

    def told(self) -> list[str]:
        """What got through, one text for each message, the oldest first."""
        raise NotImplementedError

    def misbehave(self, how: Misbehaviour) -> bool:
        """Make the next delivery fail so; False if it cannot."""
        raise NotImplementedError

    def test_it_tells_what_and_about_whom(self) -> None:
        """The headline, the agent and the owner are in it."""
        with self._receiver() as receiver:
            receiver.send(message(), KEY)
        (told,) = self.told()
        for part in ("does what it never did", "payroll-7", "team-payments"):
            assert part in told, part

    def test_every_kind_of_message_is_taken(self) -> None:
        """Also one about no agent, and one that the receiver has no form for."""
        with self._receiver() as receiver:
            for kind in get_args(MessageKind):
                receiver.send(message(kind=kind), f"{kind}-{KEY}")
                receiver.send(bare(kind), f"bare-{kind}-{KEY}")

    def test_a_thread_is_kept(self) -> None:
        """What `send` returns can be stored, and is taken for what follows."""
        with self._receiver() as receiver:
            place = receiver.send(message(), KEY)
            assert place is None or (place and len(place) <= 500 and place.isprintable())
            receiver.send(message(kind="resolved"), KEY[::-1], thread=place, attempt=1)

    def test_a_repeat_can_be_seen_as_one(self) -> None:
        """The same key goes with every attempt, or the repeat is not told again."""
        with self._receiver() as receiver:
            receiver.send(message(), KEY)
            receiver.send(message(), KEY, attempt=2)
        told = self.told()
        assert len(told) in (1, 2)
        assert all(KEY[:11] in one for one in told)

    def test_hostile_text_is_text(self) -> None:
        """It is told, or refused for good by `DeliveryError`; it never breaks out of its place."""
        with self._receiver() as receiver:
            for number, text in enumerate(HOSTILE):
                error = _failure(receiver, message(text=text), f"{number}-{KEY}")
                assert error is None or not error.retryable, (text[:50], error)
        for told in self.told():
            assert all(char.isprintable() or char == "\n" for char in told)

    def test_a_failure_says_whether_to_try_again(self) -> None:
        """By `DeliveryError`, in one line; afterwards it goes on."""
        ways: tuple[Misbehaviour, ...] = ("retryable", "final")
        for how in ways:
            with self._receiver() as receiver:
                if not self.misbehave(how):
                    continue
                error = _failure(receiver, message())
                assert error is not None
                assert error.retryable is (how == "retryable"), error
                assert error.reason.isprintable()
                assert error.reason == str(error)
        assert self.told() == []

    def test_it_keeps_its_time_limit(self) -> None:
        """However long its outside takes."""
        with self._receiver() as receiver:
            if self.misbehave("hang"):
                with stopwatch() as passed_s:
                    error = _failure(receiver, message())
                    assert passed_s() < self.timeout_s + 2.0
                assert error is not None
                assert error.retryable

    def test_no_secret_in_any_error_or_log(self) -> None:
        """Whatever goes wrong, at any level of logging, on any stream."""
        said, log = [], io.StringIO()
        handler, root = logging.StreamHandler(log), logging.getLogger()
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            with contextlib.redirect_stderr(log), contextlib.redirect_stdout(log):
                for how in get_args(Misbehaviour):
                    with self._receiver() as receiver:
                        said.append(repr(receiver))
                        if self.misbehave(how):
                            error = _failure(receiver, message())
                            assert error is not None
                            said += [str(error), repr(error), error.reason]
        finally:
            root.removeHandler(handler)
            root.setLevel(level)
        everything = "\n".join([*said, log.getvalue()])
        for secret in self.secrets:
            assert secret not in everything

    def test_it_can_be_closed_twice(self) -> None:
        """A stop that is interrupted begins again."""
        receiver = self.open_receiver()
        receiver.close()
        receiver.close()

    @contextlib.contextmanager
    def _receiver(self) -> Iterator[Receiver]:
        with contextlib.closing(self.open_receiver()) as receiver:
            assert receiver.name
            yield receiver


def message(*, kind: MessageKind = "opened", text: str | None = None) -> Message:
    """A message about an incident of one agent.

    Parameters
    ----------
    text
        What stands for every text from outside.
    """

    def said(usual: str) -> str:
        return usual if text is None else text

    worst = Anomaly(
        anomaly_id=anomaly_id("payroll-7", "new_target", "bank.example", "run-1"),
        agent_id=said("payroll-7"),
        role=said("payroll"),
        agent_version=None,
        trace_id=said("run-1"),
        event_id=said("event-1"),
        time=_AT,
        detector="new_target",
        severity=Severity.HIGH,
        p_value=0.0004,
        calibration="calibrated",
        observed=1.0,
        expected=0.002,
        unit="new targets",
        threshold=0.0,
        text=said("sent to bank.example, where it never sent anything"),
        action=said("send"),
        tool=said("mail"),
        target=said("bank.example"),
        effect="external",
        data_class=None,
        source=said("agent-actions"),
        partition=2,
        offset=991,
    )
    alert = Alert(
        alert_id=alert_id(worst.anomaly_id),
        agent_id=worst.agent_id,
        role=worst.role,
        severity=worst.severity,
        opened_at=_AT,
        last_anomaly_at=_AT,
        anomaly_count=1,
        detectors=("new_target",),
        worst=worst,
        calibrated=True,
    )
    incident = Incident(
        incident_id="5f2a9c10d3e4",
        severity=worst.severity,
        opened_at=_AT,
        last_anomaly_at=_AT + timedelta(seconds=1),
        agents=(worst.agent_id,),
        detectors=alert.detectors,
    )
    return Message(
        kind=kind,
        agent_id=worst.agent_id,
        at=_AT,
        severity=worst.severity,
        headline=said("payroll-7 does what it never did"),
        details=((said("asked by"), said("rule payroll")),),
        alert=alert,
        incident=incident,
        owner=said("team-payments"),
    )


def bare(kind: MessageKind) -> Message:
    """A message about no agent and no incident."""
    return Message(kind=kind, agent_id="", at=_AT, severity=Severity.MEDIUM, headline="all is told")


@contextlib.contextmanager
def stopwatch() -> Iterator[Callable[[], float]]:
    """How many seconds have passed, as counted by a thread that sleeps.

    Where the machine is busy it wakes as late as what is timed does, and that is not held against
    this.
    """
    over, naps = threading.Event(), 0

    def count() -> None:
        nonlocal naps
        while not over.wait(_NAP_S):
            naps += 1

    sleeper = threading.Thread(target=count, daemon=True)
    sleeper.start()
    try:
        yield lambda: naps * _NAP_S
    finally:
        over.set()
        sleeper.join()


def _failure(receiver: Receiver, told: Message, key: str = KEY) -> DeliveryError | None:
    try:
        receiver.send(told, key)
    except DeliveryError as error:
        return error
    return None
