"""The fault matrix: whatever fails under the daemons, what they found, told and did is the same.

Real daemons, a real broker and both databases. After each case the ids of the anomalies are those
of an undisturbed replay with as many partitions, each profile is to the byte what the stream
teaches, each message arrived, each agent beyond its boundary was cut off once, each record that is
no event is in the dead letters, and checkpoints and committed offsets are the ends.

The short form takes several faults one after the other over one stream, once for each database:
on SQLite one daemon, with a broker that freezes, a disk that is full, and poison in bulk; on
PostgreSQL two, with one that is killed, a database that crashes, and a daemon that freezes until
its partitions have moved. `CHAOS_FAULTS=1` (`make chaos`) runs every fault by itself, and then all
of them in a random order. The seed is printed; `CHAOS_SEED` gives the same one again.
"""

import gc
import os
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.kit.broker import Broker
from tests.kit.fault_verdict import (
    each_alert_was_told,
    each_anomaly_is_that_of_a_replay,
    each_event_was_learned_once,
    each_offset_is_the_end,
    each_poison_was_kept,
    each_trip_was_ordered_once,
)
from tests.kit.fault_world import FaultWorld
from tests.kit.faults import EVERYWHERE, IN_POSTGRES, IN_SQLITE, MANY

FULL: Final = "CHAOS_FAULTS" in os.environ
FAULTS: Final = {"sqlite": EVERYWHERE | IN_SQLITE, "postgresql": EVERYWHERE | IN_POSTGRES}
PROCESSES: Final = {"sqlite": 1, "postgresql": 2}
SHORT: Final[list[tuple[str, tuple[str, ...]]]] = [
    ("sqlite", ("broker_frozen", "disk_full", "poisoned")),
    ("postgresql", ("killed", "database_restarted", "daemon_frozen")),
]
"""Database, and faults in turn."""
SOME: Final = 800 if FULL else 250
"""So many lines are produced before a fault, and read while it happens."""
AGAIN: Final = 3
"""So often a fault happens that is by itself."""

pytestmark = [
    pytest.mark.service,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <.*socket:pytest.PytestUnraisableExceptionWarning"
    ),
]


def cases() -> list[tuple[str, tuple[str, ...]]]:
    """Those of this run."""
    if not FULL:
        return SHORT
    alone = [(kind, (name,) * AGAIN) for kind, faults in FAULTS.items() for name in faults]
    return [*alone, *((kind, tuple(faults)) for kind, faults in FAULTS.items())]


@pytest.fixture(params=cases(), ids=lambda case: "-".join((case[0], *dict.fromkeys(case[1]))))
def case(request: pytest.FixtureRequest) -> tuple[str, tuple[str, ...]]:
    """Database, and faults in turn."""
    found: tuple[str, tuple[str, ...]] = request.param
    return found


@pytest.fixture
def chance(case: tuple[str, tuple[str, ...]]) -> random.Random:
    """Of everything in this case that is random."""
    seed = os.environ.get("CHAOS_SEED") or str(random.SystemRandom().randrange(10**6))
    print(f"CHAOS_SEED={seed}")
    return random.Random(f"{seed} {case}")


@pytest.fixture
def world(
    request: pytest.FixtureRequest,
    case: tuple[str, tuple[str, ...]],
    chance: random.Random,
    kafka: Broker,
    tmp_path: Path,
) -> Iterator[FaultWorld]:
    kind, faults = case
    postgres = request.getfixturevalue("postgres") if kind == "postgresql" else None
    url = postgres.new_store() if postgres else f"sqlite:///{tmp_path / 'ledger.db'}"
    length = len(faults) + MANY * faults.count("behind")
    made = FaultWorld(
        tmp_path, kafka, postgres, url, processes=PROCESSES[kind], chance=chance, some=SOME,
        faults=length,
    )  # fmt: skip
    with closing(made):
        yield made
    gc.collect()  # kafka-python leaves sockets behind; here that is looked over


def test_whatever_fails_nothing_is_lost_doubled_or_made_up(
    world: FaultWorld, case: tuple[str, tuple[str, ...]]
) -> None:
    kind, faults = case
    world.produce()
    for daemon in world.daemons:
        daemon.start()
    world.until(lambda: world.are_readers(world.daemons), "every daemon reads")
    for name in world.chance.sample(faults, len(faults)) if FULL else faults:
        if name != "killed":  # one that starts and reaches no service ends, and says why
            world.until(lambda: world.are_readers(world.daemons), "every daemon reads")
        world.tell(name)
        FAULTS[kind][name](world)
    world.tell("the rest")
    world.produce_rest()
    world.until(lambda: world.is_read() and world.is_done(), "everything is read and told")
    world.tell("the verdict")
    assert each_anomaly_is_that_of_a_replay(world) > 20
    each_event_was_learned_once(world)
    each_alert_was_told(world)
    each_trip_was_ordered_once(world)
    each_poison_was_kept(world)
    each_offset_is_the_end(world)
    for daemon in world.daemons:
        assert daemon.stop() == 0
