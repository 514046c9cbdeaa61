"""Kill -9 at random points between store and send, and between send and mark.

Real processes tell a real HTTP server and one that speaks Slack's Web API, and are killed: at any
time, when a message has arrived and its sender still waits for the answer, and just after the
answer. Every alert arrives at both; what arrives twice has one key; in Slack, which is searched for
that key, nothing stands twice. `TRIPSWITCH_KILLS=200` (`make chaos-alerts`) kills as often.
"""

import multiprocessing
import os
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerProcess
from typing import Final, Literal, get_args

import pytest
from sqlalchemy import func, select

from monitor.store import Store
from monitor.store.schema import anomalies, outbox
from tests.kit.gateway_server import Asked
from tests.kit.inbox_server import InboxServer
from tests.kit.slack_server import SlackServer
from tests.kit.teller import ALERTS, live

KILLS: Final = int(os.environ.get("TRIPSWITCH_KILLS", "6"))
SEED: Final = int(os.environ.get("TRIPSWITCH_KILLS_SEED", "1"))
AGAIN: Final = 3
"""So many stored anomalies a new process takes in once more, as after a checkpoint."""

When = Literal["at any time", "before the answer", "after the answer"]


class Reaper(InboxServer):
    """The inbox, and what kills the teller: by itself, or when a message arrives."""

    def __init__(self, slack: SlackServer) -> None:
        super().__init__()
        self.process: ForkServerProcess | None = None
        self.armed: When | None = None
        self.spares = 0
        """So many messages arrive before the one at which it strikes."""
        self.struck = threading.Event()
        self._counting = threading.Lock()
        slack.fault = lambda _: self.arrived()

    def obey(self, asked: Asked) -> tuple[int, bytes]:
        self.arrived()
        return super().obey(asked)

    def arrived(self) -> None:
        with self._counting:
            when = self.armed
            if when is None or when == "at any time":
                return
            self.spares -= 1
            if self.spares >= 0:
                return
            self.armed = None
        if when == "before the answer":
            self.strike()
        else:
            threading.Timer(random.random() * 0.02, self.strike).start()

    def strike(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.join()
        self.struck.set()


def until(true: Callable[[], object], within_s: float = 120.0) -> None:
    end_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end_s, "it did not come true"
        time.sleep(0.02)


@pytest.fixture
def reaper(slack: SlackServer) -> Iterator[Reaper]:
    made = Reaper(slack)
    yield made
    made.close()


def stored(store: Store) -> int:
    with store.read() as ledger:
        return ledger.execute(select(func.count()).select_from(anomalies)).scalar_one()


def waiting(store: Store) -> dict[str, int]:
    """Deliveries that wait, by key: how often each was tried."""
    with store.read() as ledger:
        query = select(outbox.c.delivery_id, outbox.c.attempts)
        found = ledger.execute(query.where(outbox.c.state == "pending"))
        return {row.delivery_id: row.attempts for row in found}


@pytest.mark.timeout(1800)
def test_every_alert_arrives_and_what_comes_twice_has_one_key(
    store: Store, store_url: str, slack: SlackServer, reaper: Reaper
) -> None:
    chance = random.Random(SEED)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.kit.teller", "alembic.command", "psycopg"])
    left: list[dict[str, int]] = []

    def begin() -> int:
        """Start a process; returns the number up to which it stores alerts."""
        begun = context.Event()
        first = max(0, stored(store) - AGAIN)
        process = context.Process(
            target=live, args=(store_url, slack.url, reaper.url, first, begun)
        )
        process.daemon = True
        process.start()
        reaper.process = process
        assert begun.wait(60)
        return first + ALERTS

    for number in range(KILLS):
        when: When = get_args(When)[number % 3]
        reaper.struck.clear()
        reaper.armed, reaper.spares = when, chance.randrange(2 * (ALERTS - AGAIN))
        begin()
        if when == "at any time":
            time.sleep(chance.random() * 0.4)
            reaper.strike()
        assert reaper.struck.wait(60), "nothing was sent"
        left.append(waiting(store))
    reaper.armed = None
    last = begin()
    until(lambda: stored(store) == last and not waiting(store))
    reaper.strike()
    agents = {f"agent-{number}" for number in range(stored(store))}
    told: defaultdict[str, set[str]] = defaultdict(set)
    for key, body in zip(keys(reaper), reaper.bodies(), strict=True):
        assert body["key"] == key
        told[body["agent_id"]].add(key)
    assert told.keys() == agents, "every alert arrives"
    assert {len(found) for found in told.values()} == {1}, "repeats carry one key"
    in_slack = Counter(posted.key for posted in slack.accepted)
    assert len(in_slack) == len(agents)
    assert set(in_slack.values()) == {1}, "no message twice"
    arrived = in_slack.keys() | set(keys(reaper))
    unsent = sum(0 in found.values() for found in left)
    unmarked = sum(any(found[key] for key in found.keys() & arrived) for found in left)
    repeats = len(keys(reaper)) - len(agents)
    print(f"{KILLS} kills, {unsent} with something stored and not sent, {unmarked} with something "
          f"sent and not marked: {len(agents)} alerts, {repeats} repeats")  # fmt: skip
    if KILLS >= 50:
        assert min(unsent, unmarked, repeats) > KILLS / 10, "it was killed where it matters"


def keys(inbox: InboxServer) -> list[str]:
    return [asked.headers["idempotency-key"] for asked in inbox.taken]
