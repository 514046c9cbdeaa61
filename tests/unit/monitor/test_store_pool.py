"""A store has connections for all of a process's threads; one without is away for a while."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import create_engine

from alerting.killswitch import AgentState
from alerting.notify.slack_web import SlackWeb
from monitor import orders
from monitor.config import Config
from monitor.errors import ExitCode
from monitor.ledger import requests, trips
from monitor.slack_access import Access
from monitor.slack_desk import SlackDesk
from monitor.store import Store
from tests.kit.gate import Gate, driver, kill, running, state
from tests.kit.slack_room import RESPONSE
from tests.kit.slack_server import TOKEN, SlackServer
from tests.kit.waiting import WAIT_S, until

THREADS = 6 + 4 + 16 + 16
"""Of `tripswitch serve`: questions, orders, drivers, and those that settle what drivers tried."""


def test_no_thread_of_serve_waits_for_a_connection_of_another(store: Store) -> None:
    with ExitStack() as stack:
        for _ in range(THREADS):
            stack.enter_context(store.read())


@pytest.fixture
def tight(store: Store, store_url: str) -> Iterator[Store]:
    """The same store with a pool of a single connection, for which nobody waits for long."""
    engine = create_engine(store_url, pool_size=1, max_overflow=0, pool_timeout=0.1)
    opened = Store(engine, engine, is_default=False)
    yield opened
    opened.close()


def test_an_order_that_is_durable_is_told_as_that(store: Store, tight: Store) -> None:
    kill(store, points=())
    with store.read() as ledger:
        (ordered,) = trips.list_trips(ledger, "a")
    with tight.read():
        carried = orders.carry_out_kill(Config(), tight, ordered, "me")
    assert carried.exit_code in (ExitCode.DONE, ExitCode.PARTLY)
    assert "ordered, but then store" in carried.notes[0]


def test_the_lane_goes_on(store: Store, tight: Store, caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    with running(tight, driver(tight, gate)):
        with tight.read():
            until(lambda: "kill lane: store" in caplog.text)
        trip_id = kill(store)
        until(lambda: state(store, trip_id) is AgentState.CONTAINED)


def test_an_attempt_that_cannot_be_settled_is_tried_again(
    store: Store, tight: Store, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    gate.open.clear()
    trip_id = kill(store)
    one = driver(tight, gate, timeout_s=WAIT_S)
    assert one.start_due() == 1
    with tight.read():
        gate.open.set()
        one.drain(WAIT_S)
    assert "kill lane: store" in caplog.text
    assert state(store, trip_id) is AgentState.TRIPPING


def test_what_is_asked_for_in_slack_waits(
    store: Store, tight: Store, slack: SlackServer, caplog: pytest.LogCaptureFixture
) -> None:
    web = SlackWeb(TOKEN, slack.url, 10.0)
    desk = SlackDesk(tight, web, Access(web, (), ()), RESPONSE, lambda: None)
    with tight.read():
        desk.start()
        until(lambda: "requests of Slack wait: store" in caplog.text)
    with store.ledger() as ledger:
        requests.take_in(ledger, "r1", "{}", asked_by="slack:U", now_s=time.time())
    desk.wake()

    def is_done() -> bool:
        with store.read() as ledger:
            return requests.oldest(ledger) is None

    try:
        until(is_done)
    finally:
        desk.stop(WAIT_S)
