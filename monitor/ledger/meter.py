"""Which stages of trips were taken into a process's metrics; each by one process, once."""

from dataclasses import dataclass
from enum import IntFlag
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select, update

from monitor.ledger import trip
from monitor.store.schema import trips


class Stage(IntFlag):
    """How far a trip came; the bits of `trips.metered`."""

    ORDERED = 1
    CONTAINED = 2
    SILENT = 4
    LAST_ACTION = 8
    """Silent: the last action that succeeded after the order, if any did, was the last one."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A stage that a trip reached, and how long it took.

    Parameters
    ----------
    seconds
        `ORDERED`: from the evidence, None without any; the others: from the order, and of
    `LAST_ACTION` None if nothing succeeded after that.
    """

    stage: Stage
    automatic: bool
    seconds: float | None


def any_new(connection: Connection, since_s: float) -> bool:
    """Whether `take` would find anything; needs no more than a reading transaction."""
    return connection.execute(_new(since_s).limit(1)).first() is not None


def take(connection: Connection, since_s: float) -> list[Measured]:
    """The stages that were reached since then and that nobody took yet: they are the caller's."""
    measured = []
    for trip_id in connection.execute(_new(since_s).with_for_update()).scalars().all():
        found = trip.get(connection, trip_id)
        reached = {
            Stage.ORDERED: (found.ordered_at, found.anomaly_to_order_s),
            Stage.CONTAINED: (found.contained_at, found.order_to_containment_s),
            Stage.SILENT: (found.silent_at, found.time_to_silence_s),
            Stage.LAST_ACTION: (found.silent_at, found.order_to_last_effective_s),
        }
        metered = Stage(found.metered)
        for stage, (at, seconds) in reached.items():
            if stage not in metered and at is not None and at >= since_s:
                measured.append(Measured(stage, found.automatic, seconds))
                metered |= stage
        connection.execute(
            update(trips).where(trips.c.trip_id == trip_id).values(metered=int(metered))
        )
    return measured


def _new(since_s: float) -> Select[Any]:
    def untaken(stage: Stage, at: ColumnElement[float | None]) -> ColumnElement[bool]:
        return and_(trips.c.metered.bitwise_and(int(stage)) == 0, at >= since_s)

    return select(trips.c.trip_id).where(
        or_(
            untaken(Stage.ORDERED, trips.c.ordered_at),
            untaken(Stage.CONTAINED, trips.c.contained_at),
            untaken(Stage.SILENT, trips.c.silent_at),
            untaken(Stage.LAST_ACTION, trips.c.silent_at),
        )
    )
