"""Tries: what agents that are cut off try in vain, counted by the thousand."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, case, func, or_, select, update

from alerting.killswitch import BLOCKED
from monitor.ledger import audit
from monitor.store.schema import agents, trips, watches
from monitor.store.sql import advance

_SEEN_TO: Final = (
    select(watches.c.watched_to)
    .where(watches.c.trip_id == bindparam("of_trip"), watches.c.place == bindparam("of_place"))
    .scalar_subquery()
)
# Not after a restore that whoever watched it has not seen yet.
_IS_CUT_OFF: Final = (
    select(agents.c.agent_id)
    .where(
        agents.c.trip_id == bindparam("of_trip"),
        or_(*(agents.c.state == state for state in sorted(BLOCKED))),
    )
    .exists()
)
_EARLY_AT: Final = bindparam("early_at", type_=trips.c.last_early_at.type)
_COUNT: Final = (
    update(trips)
    .where(
        trips.c.trip_id == bindparam("of_trip"),
        func.coalesce(_SEEN_TO, 0) < bindparam("to"),
        _IS_CUT_OFF,
    )
    .values(
        early_count=trips.c.early_count + bindparam("more_early"),
        last_early_at=case(
            (trips.c.last_early_at > _EARLY_AT, trips.c.last_early_at),
            else_=func.coalesce(_EARLY_AT, trips.c.last_early_at),
        ),
        refused_count=trips.c.refused_count + bindparam("more_refused"),
    )
)


class Tries(NamedTuple):
    """What a partition showed of a trip, without any effective action.

    Attributes
    ----------
    early
        When actions succeeded after the order and before containment, in seconds since the epoch.
    refused
        How many were refused.
    watched_to
        The offset after the last record that was counted.
    """

    trip_id: str
    place: str
    early: Sequence[float]
    refused: int
    watched_to: int


def count_tries(connection: Connection, tries: Sequence[Tries]) -> None:
    """Add what was counted since the last call, of any number of trips at once.

    What reaches no further than what was seen there is a repeat, and changes nothing; nor does
    what was tried under a trip that does not cut its agent off any more.
    """
    if not tries:
        return
    audit.lock(connection)  # as whoever changes a trip does
    counted = [
        {
            "of_trip": one.trip_id,
            "of_place": one.place,
            "more_early": len(one.early),
            "early_at": max(one.early, default=None),
            "more_refused": one.refused,
            "to": one.watched_to,
        }
        for one in tries
    ]
    connection.execute(_COUNT, counted)
    seen = [
        {"trip_id": one.trip_id, "place": one.place, "watched_to": one.watched_to, "quiet": False}
        for one in tries
    ]
    advance(connection, watches, seen, watches.c.watched_to)
