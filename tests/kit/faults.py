"""Faults, by name: what happens to a fleet of daemons, and that it is over."""

import signal
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import func, select

from monitor.store.schema import actions, anomalies, trips
from tests.kit.fault_stream import POISON
from tests.kit.fault_world import FaultWorld

MANY: Final = 4
"""So many times as much as usual."""
_SESSION_S: Final = 1.5


def killed(world: FaultWorld) -> None:
    """A daemon dies by SIGKILL, anywhere in its work, and is started again."""
    world.produce()
    world.pause(2.0)
    daemon = world.chance.choice(world.daemons)
    daemon.kill()
    world.pause(1.0)
    daemon.start()


def broker_restarted(world: FaultWorld) -> None:
    """The broker stops, in good order or by SIGKILL, and comes back."""
    world.produce()
    world.pause(0.3)
    stop = world.chance.choice((world.kafka.stop, world.kafka.kill))
    stop()
    try:
        world.pause(4.0)
    finally:
        world.kafka.start()


def broker_frozen(world: FaultWorld) -> None:
    """The broker answers nothing for longer than sessions and requests last, and goes on."""
    world.produce()
    world.pause(0.3)
    world.kafka.freeze()
    try:
        time.sleep(4.0)
        world.pause(3.0)
    finally:
        world.kafka.thaw()


def database_restarted(world: FaultWorld) -> None:
    """PostgreSQL crashes and comes back."""
    world.produce()
    world.pause(0.3)
    world.postgres.stop()
    try:
        world.pause(3.0)
    finally:
        world.postgres.start()


def database_frozen(world: FaultWorld) -> None:
    """PostgreSQL answers nothing for longer than a session lasts, and goes on."""
    world.produce()
    world.pause(0.3)
    world.postgres.freeze()
    try:
        time.sleep(2 * _SESSION_S)
        world.pause(2.0)
    finally:
        world.postgres.thaw()


def disk_full(world: FaultWorld) -> None:
    """No file of SQLite can grow, until somebody makes room."""
    (daemon,) = world.daemons
    before = daemon.log.read_text().count("disk is full")
    world.full_disk.touch()
    try:
        world.produce()
        world.until(lambda: daemon.log.read_text().count("disk is full") > before, "it is said")
        world.pause(1.0)
    finally:
        world.full_disk.unlink()


def daemon_frozen(world: FaultWorld) -> None:
    """A daemon freezes until its partitions have moved, and goes on: it must write nothing."""
    frozen, *others = world.daemons
    world.produce()
    world.pause(0.5)
    frozen.freeze()
    try:
        if not others:
            time.sleep(2 * _SESSION_S)
            return
        world.until(lambda: world.are_readers(others), "the others have claimed its partitions")
        world.until(world.is_read, "the others have read what it had")
        written = _written(world)
    finally:
        frozen.thaw()
    world.until(lambda: world.are_readers(world.daemons), "it is back")
    assert _written(world) == written


def poisoned(world: FaultWorld) -> None:
    """Records in bulk that are no events, between those that are."""
    world.produce(0.5)
    world.produce_these(world.chance.choice(POISON) for _ in range(MANY * world.some))
    world.produce(0.5)


def behind(world: FaultWorld) -> None:
    """Every daemon is stopped, much is produced, and they catch up."""
    for daemon in world.daemons:
        assert daemon.stop() in (0, -signal.SIGTERM)  # one that still starts has nothing to save
    world.produce(MANY)
    for daemon in world.daemons:
        daemon.start()
    world.produce()


EVERYWHERE: Final[dict[str, Callable[[FaultWorld], None]]] = {
    fault.__name__: fault
    for fault in (killed, broker_restarted, broker_frozen, daemon_frozen, poisoned, behind)
}
"""What happens whatever the store is."""
IN_SQLITE: Final = {"disk_full": disk_full}
IN_POSTGRES: Final = {fault.__name__: fault for fault in (database_restarted, database_frozen)}


def _written(world: FaultWorld) -> tuple[object, ...]:
    """What daemons leave of what they read."""
    with world.store.read() as ledger:
        counts = [
            ledger.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (anomalies, trips, actions)
        ]
    return (*counts, world.saved())
