"""Trips while processes are killed at random points and the enforcement points fail at random.

Orders come from clerks (persons) and from the command line, lanes drive the points: all of them
processes that are killed with SIGKILL again and again, and started anew. When it is over every
order has to be contained, partial by a person's word, or visibly failing; none lost, none done
twice. `CHAOS_TRIPS` says how many; the seed is printed, and `CHAOS_SEED` gives the same one again.
"""

import gc
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import func, select

from alerting.killswitch import BLOCKED, OPEN
from monitor.config import StoreConfig
from monitor.journal import default_path
from monitor.ledger import trips
from monitor.ledger.trip import Trip
from monitor.store import Store
from monitor.store import schema as tables
from tests.kit.broker import Broker
from tests.kit.chaos import BY, PROBATION_S, RECEIVERS, Commands, World
from tests.kit.chaos_verdict import (
    each_order_is_there,
    each_point_did_what_it_confirmed,
    each_trip_ended,
    fails_for_good,
)
from tests.kit.daemon import tripswitch
from tests.kit.fickle_points import SECRET_VARIABLE, FicklePoints
from tests.kit.mortal import Mortal, Part

TRIPS: Final = int(os.environ.get("CHAOS_TRIPS", "20"))
LANES: Final = 3
CLERKS: Final = 3
AGENTS: Final = tuple(
    f"{'kafka' if number % 8 == 0 else 'plain'}-{number}" for number in range(max(16, TRIPS // 5))
)
LEFT, GIVEN_UP = "plain-left", "plain-given-up"
"""Cut off when all is calm: one fails on, of the other a person gives the gateway up."""
BROKEN: Final = ("plain-1", "plain-2", "plain-3", LEFT, GIVEN_UP)
"""The gateway never does anything for these."""
ENOUGH_S: Final = 60.0 + 3 * TRIPS
"""A phase that takes longer is stuck."""
_ASK_EVERY_S: Final = 2.0

pytestmark = [
    pytest.mark.service,
    pytest.mark.timeout(2.5 * ENOUGH_S),
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <.*socket:pytest.PytestUnraisableExceptionWarning"
    ),
]


@dataclass
class Chaos:
    """The world with all that goes wrong in it."""

    world: World
    store: Store
    points: FicklePoints
    log: Path
    seed: str
    commands: Commands


@pytest.fixture
def chaos(kafka: Broker, store_url: str, tmp_path: Path) -> Iterator[Chaos]:
    seed = os.environ.get("CHAOS_SEED") or str(random.SystemRandom().randrange(10**6))
    print(f"CHAOS_TRIPS={TRIPS} CHAOS_SEED={seed}")
    environment = {"TRIPSWITCH_STORE__URL": store_url, SECRET_VARIABLE: "tests-only-SECRET"}
    with ExitStack() as stack:
        points = stack.enter_context(closing(FicklePoints(tmp_path, kafka, seed, BROKEN)))
        configs = {"kafka": points.kafka, "plain": points.plain}
        world = World(environment, configs, AGENTS, tmp_path / "acks.jsonl")
        store = stack.enter_context(closing(Store.open(StoreConfig(url=store_url))))
        commands = Commands(world, random.Random(seed))
        yield Chaos(world, store, points, tmp_path / "processes.log", seed, commands)
    gc.collect()  # kafka-python leaves sockets behind; here that is looked over


def test_no_order_is_lost_or_done_twice_whatever_dies_or_fails(chaos: Chaos) -> None:
    mortals = _rage(chaos)
    assert sum(mortal.lives for mortal in mortals) > len(mortals)
    with chaos.store.snapshot() as ledger:
        found = trips.list_trips(ledger, limit=10 * TRIPS)
        assert len(found) >= TRIPS
        each_order_is_there(ledger, found, chaos.world.acked(), chaos.commands.ended)
        each_trip_ended(ledger, found, BROKEN)
        each_point_did_what_it_confirmed(ledger, chaos.points, found)
    code, (verdict,), _ = tripswitch(chaos.world.environment, "audit", "verify", "--json")
    assert (code, verdict["fault"]) == (0, None)


def _rage(chaos: Chaos) -> list[Mortal]:
    """Chaos until there are enough trips; then calm, until nothing is left to do."""

    def some(part: Part, kind: str, count: int) -> list[Mortal]:
        names = [f"{chaos.seed}/{kind}-{number}" for number in range(count)]
        return [Mortal(part, name, (0.2, 5.0), chaos.log) for name in names]

    lanes = some(chaos.world.lane, "lane", LANES)
    clerks = some(chaos.world.clerk, "clerk", CLERKS)
    try:
        _until(
            lambda: _count(chaos.store) >= TRIPS,
            *(mortal.look for mortal in (*lanes, *clerks)),
            chaos.commands.look,
        )
        for mortal in clerks:
            mortal.kill()
        chaos.commands.end()
        chaos.points.calm()
        _import_journal(chaos)
        for mortal in lanes:
            mortal.spare()
        for agent in (LEFT, GIVEN_UP):
            _kill(chaos.store, agent)
        _until(
            lambda: not _unfinished(chaos.store),
            *(mortal.look for mortal in lanes),
            _now_and_then(lambda: _ask_again(chaos.store)),
        )
    finally:
        for mortal in (*lanes, *clerks):
            mortal.kill()
        chaos.commands.end()
    _give_up(chaos.store, GIVEN_UP)
    return [*lanes, *clerks]


def _import_journal(chaos: Chaos) -> None:
    """On a busy machine a command has waited too long for the store, and broke the glass."""
    if default_path().exists():
        code, _, said = tripswitch(
            chaos.world.environment, "audit", "import", str(default_path()), "--json"
        )
        assert code == 0, said


def _until(done: Callable[[], bool], *meanwhile: Callable[[], None]) -> None:
    deadline_s = time.monotonic() + ENOUGH_S
    while not done():
        assert time.monotonic() < deadline_s, "waited in vain"
        for act in meanwhile:
            act()
        time.sleep(0.05)


def _now_and_then(act: Callable[[], None]) -> Callable[[], None]:
    next_s = 0.0

    def at_times() -> None:
        nonlocal next_s
        if time.monotonic() >= next_s:
            next_s = time.monotonic() + _ASK_EVERY_S
            act()

    return at_times


def _count(store: Store) -> int:
    with store.read() as ledger:
        return int(ledger.execute(select(func.count()).select_from(tables.trips)).scalar_one())


def _unfinished(store: Store) -> list[Trip]:
    """Of which something is still to be done, but for what is visibly failing for good."""
    with store.read() as ledger:
        is_open = tables.points.c.state.in_(sorted(OPEN))
        ids = ledger.execute(select(tables.points.c.trip_id).where(is_open).distinct()).scalars()
        found = [trips.get(ledger, trip_id) for trip_id in ids]
    return [
        trip
        for trip in found
        if any(p.state in OPEN and not fails_for_good(trip, p, BROKEN) for p in trip.points)
    ]


def _kill(store: Store, agent: str) -> None:
    said: dict[str, Any] = {"reason": "again", "ordered_by": BY, "receivers": RECEIVERS}
    points = ("gateway", "script")
    with store.ledger() as ledger:
        trips.order_kill(
            ledger, agent_id=agent, automatic=False, points=points, now_s=time.time(), **said
        )


def _ask_again(store: Store) -> None:
    """As people do who do not want to wait for the next attempt."""
    for trip in _unfinished(store):
        if trip.state in BLOCKED:
            _kill(store, trip.agent_id)
            continue
        with store.ledger() as ledger:
            trips.order_restore(
                ledger, agent_id=trip.agent_id, reason="again", ordered_by=BY,
                now_s=time.time(), probation_s=PROBATION_S, receivers=RECEIVERS,
            )  # fmt: skip


def _give_up(store: Store, agent: str) -> None:
    said: dict[str, Any] = {"reason": "it is broken", "by": BY, "receivers": RECEIVERS}
    with store.ledger() as ledger:
        (trip,) = trips.list_trips(ledger, agent)
        trips.give_up(ledger, trip.trip_id, "gateway", now_s=time.time(), **said)
