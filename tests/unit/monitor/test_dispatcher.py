import io
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from sqlalchemy import Row, select, text, update

from alerting.message import Message
from alerting.notify.contract import stopwatch
from alerting.notify.slack import SlackReceiver
from alerting.notify.terminal import TerminalReceiver
from alerting.ports import Receiver
from monitor.config import StoreConfig
from monitor.dispatcher import MAX_BACKOFF_S, MAX_REST_S, Dispatcher, backoff_s
from monitor.ledger import outbox
from monitor.store import Store
from monitor.store.schema import outbox as table
from tests.kit.clock import Clock
from tests.kit.messages import message
from tests.kit.slack_server import CHANNEL, HANG, TOKEN, Answer, SlackServer, headlines
from tests.kit.waiting import WAIT_S, until

LEASE_S = 15.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


Run = Callable[..., Dispatcher]


@pytest.fixture
def run(store: Store, clock: Clock) -> Iterator[Run]:
    """Starts dispatchers on the store, and stops them at the end."""
    started = []

    def start(*receivers: Receiver) -> Dispatcher:
        dispatcher = Dispatcher(store, receivers, lease_s=LEASE_S, poll_s=0.02, clock=clock)
        dispatcher.start()
        started.append(dispatcher)
        return dispatcher

    yield start
    for dispatcher in started:
        dispatcher.stop(1.0)


def to_slack(slack: SlackServer, timeout_s: float = WAIT_S) -> SlackReceiver:
    return SlackReceiver(CHANNEL, TOKEN, slack.url, timeout_s)


def put(store: Store, headline: str, agent_id: str = "a", receivers: str = "slack") -> None:
    with store.ledger() as connection:
        told = message(agent_id=agent_id, headline=headline)
        outbox.enqueue(connection, told, receivers.split(), 0.0, identity=headline)


def rows(store: Store) -> list[Row[tuple[object, ...]]]:
    with store.read() as connection:
        return list(connection.execute(select(table).order_by(table.c.seq)))


def states(store: Store) -> list[str]:
    return [row.state for row in rows(store)]


def test_what_is_put_in_is_told_once_and_in_order(
    store: Store, slack: SlackServer, run: Run
) -> None:
    for number in range(4):
        put(store, f"m{number}")
    run(to_slack(slack))
    until(lambda: states(store) == ["sent"] * 4)
    assert headlines(slack) == ["m0", "m1", "m2", "m3"]
    assert [posted.key for posted in slack.requests] == [row.delivery_id for row in rows(store)]


def test_waking_it_tells_at_once(store: Store, slack: SlackServer) -> None:
    dispatcher = Dispatcher(store, [to_slack(slack)], poll_s=3600.0)
    dispatcher.start()
    time.sleep(0.2)  # until it waits
    put(store, "m0")
    dispatcher.wake()
    until(lambda: slack.accepted)
    dispatcher.stop(5.0)
    assert states(store) == ["sent"]


def test_a_rate_limit_rests_the_whole_receiver_for_as_long_as_it_asked(
    store: Store, slack: SlackServer, run: Run, clock: Clock
) -> None:
    slack.script.append(Answer.rate_limited("30"))
    put(store, "a0", "a")
    put(store, "b0", "b")
    run(to_slack(slack))
    until(lambda: rows(store)[0].last_error)
    clock.now_s += 29.0
    time.sleep(0.3)  # many rounds
    assert len(slack.requests) == 1, "b0 must not be tried either"
    assert states(store) == ["pending", "pending"]
    clock.now_s += 1.1
    until(lambda: states(store) == ["sent", "sent"])
    assert headlines(slack) == ["a0", "b0"]


def test_a_receiver_cannot_ask_to_be_left_alone_for_ever(
    store: Store, slack: SlackServer, run: Run, clock: Clock
) -> None:
    slack.script.append(Answer.rate_limited("999999999"))
    put(store, "a0")
    run(to_slack(slack))
    until(lambda: rows(store)[0].last_error)
    clock.now_s += MAX_REST_S + 1.0
    until(lambda: states(store) == ["sent"])


def test_a_failure_holds_back_its_stream_and_no_other(
    store: Store, slack: SlackServer, run: Run, clock: Clock
) -> None:
    slack.script.append(Answer(503, "<html>down</html>"))
    for headline in ("a0", "a1", "b0"):
        put(store, headline, headline[0])
    run(to_slack(slack))
    until(lambda: states(store) == ["pending", "pending", "sent"])
    failed = rows(store)[0]
    assert failed.attempts == 1
    assert "503" in failed.last_error
    assert 1.0 <= failed.due_at - clock.now_s <= 2.0
    clock.now_s += 2.0
    until(lambda: states(store) == ["sent"] * 3)
    assert headlines(slack) == ["b0", "a0", "a1"]


def test_what_is_refused_for_good_is_dead_said_and_passed_over(
    store: Store, slack: SlackServer, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    slack.script.append(Answer.error("not_in_channel"))
    put(store, "a0")
    put(store, "a1")
    run(to_slack(slack))
    until(lambda: states(store) == ["dead", "sent"])
    assert "invite the app" in rows(store)[0].last_error
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "not_in_channel" in record.getMessage()
    assert TOKEN not in caplog.text


def test_a_message_that_cannot_be_read_is_dead(
    store: Store, slack: SlackServer, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    put(store, "a0")
    put(store, "a1")
    with store.ledger() as connection:
        first = table.c.seq == rows(store)[0].seq
        connection.execute(update(table).where(first).values(doc='{"kind": "sung"}'))
    run(to_slack(slack))
    until(lambda: states(store) == ["dead", "sent"])
    assert "cannot be read" in caplog.text
    assert headlines(slack) == ["a1"]


def test_a_receiver_that_hangs_delays_no_other(store: Store, slack: SlackServer, run: Run) -> None:
    slack.script.append(HANG)
    screen = io.StringIO()
    for number in range(3):
        put(store, f"m{number}", receivers="slack terminal")
    run(to_slack(slack, timeout_s=2 * WAIT_S), TerminalReceiver(screen))
    until(lambda: "m2" in screen.getvalue())
    assert headlines(slack) in ([], ["m0"])
    slack.closing.set()


DISPATCH = f"""
import sys, time
from alerting.notify.slack import SlackReceiver
from monitor.config import StoreConfig
from monitor.dispatcher import Dispatcher
from monitor.store import Store

receiver = SlackReceiver("{CHANNEL}", "{TOKEN}", sys.argv[2], 60.0)
Dispatcher(Store.open(StoreConfig(url=sys.argv[1])), [receiver], lease_s={LEASE_S}).start()
time.sleep(60)
"""


def test_after_a_crash_it_is_looked_for_by_its_key_before_it_is_sent_again(
    store: Store, store_url: str, slack: SlackServer, run: Run, clock: Clock
) -> None:
    put(store, "a0")
    put(store, "a1")
    slack.script.append(HANG)  # Slack has the message, and the process waits for the answer
    arguments = [sys.executable, "-c", DISPATCH, store_url, slack.url]
    with subprocess.Popen(arguments) as process:
        until(lambda: slack.accepted)
        process.kill()
    clock.now_s = time.time()
    run(to_slack(slack))
    time.sleep(0.2)
    assert len(slack.accepted) == 1, "the lease holds as long as the first might still be at it"
    clock.now_s += LEASE_S
    until(lambda: states(store) == ["sent", "sent"])
    assert headlines(slack) == ["a0", "a1"], "found by its key: not said twice"


class Broken:
    """A receiver, of a plugin perhaps, that raises what no protocol foresees."""

    name = "slack"

    def send(self, told: Message, key: str, thread: str | None = None, attempt: int = 1) -> None:
        del told, key
        raise RuntimeError(f"could not log in with {TOKEN}")

    def close(self) -> None:
        pass


def test_an_unforeseen_error_is_retried_and_quoted_nowhere(
    store: Store, slack: SlackServer, run: Run, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    put(store, "a0")
    broken = run(Broken())
    until(lambda: rows(store)[0].last_error)
    broken.stop(1.0)
    assert rows(store)[0].last_error == "unexpected RuntimeError"
    assert TOKEN not in caplog.text
    clock.now_s += 10.0
    run(to_slack(slack))
    until(lambda: states(store) == ["sent"])


def test_it_outlives_a_store_that_is_down(
    store: Store, slack: SlackServer, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    put(store, "a0")
    with store.ledger() as connection:
        connection.execute(text("ALTER TABLE outbox RENAME TO away"))
    dispatcher = run(to_slack(slack))
    until(lambda: "the store cannot be used" in caplog.text)
    assert "SELECT" not in caplog.text
    with store.ledger() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO outbox"))
    dispatcher.wake()
    until(lambda: states(store) == ["sent"])


def test_stopping_tells_what_is_due_first(store: Store, slack: SlackServer) -> None:
    dispatcher = Dispatcher(store, [to_slack(slack)], poll_s=3600.0)
    dispatcher.start()
    for number in range(5):
        put(store, f"m{number}")
    dispatcher.stop(10.0)
    assert states(store) == ["sent"] * 5


def test_stopping_keeps_its_time_and_loses_nothing(store: Store, slack: SlackServer) -> None:
    slack.script.append(HANG)
    put(store, "a0")
    dispatcher = Dispatcher(store, [to_slack(slack, timeout_s=WAIT_S)])
    dispatcher.start()
    until(lambda: slack.requests)
    with stopwatch() as passed_s:
        dispatcher.stop(0.2)
        assert passed_s() < 1.0
    assert states(store) == ["pending"]
    slack.closing.set()
    until(lambda: rows(store)[0].last_error)  # until the thread let go of the store


def test_two_processes_on_one_store_tell_everything_once(
    store: Store, store_url: str, slack: SlackServer, run: Run, clock: Clock
) -> None:
    for number in range(12):
        put(store, f"m{number}", agent_id=str(number % 3))
    run(to_slack(slack))
    with closing(Store.open(StoreConfig(url=store_url))) as other:
        second = Dispatcher(other, [to_slack(slack)], lease_s=LEASE_S, poll_s=0.02, clock=clock)
        second.start()
        until(lambda: states(store) == ["sent"] * 12)
        second.stop(5.0)
    assert len(slack.accepted) == 12
    for stream in range(3):
        of_stream = [int(h[1:]) for h in headlines(slack) if int(h[1:]) % 3 == stream]
        assert of_stream == sorted(of_stream)


def test_the_wait_doubles_spreads_and_ends_growing() -> None:
    assert [backoff_s(n, 1.0) for n in (1, 2, 3)] == [2.0, 4.0, 8.0]
    assert backoff_s(3, 0.0) == 4.0
    assert backoff_s(10_000, 1.0) == MAX_BACKOFF_S
