"""What the stream shows of an agent that was cut off, written to its trip."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select, update

from alerting.killswitch import BLOCKED, AgentState, Cause, step
from monitor.ledger import agents, audit, trip
from monitor.ledger.outcome import tell
from monitor.store.schema import agents as agents_table
from monitor.store.schema import trips, watches
from monitor.store.sql import upsert

FIRST_PLACE: Final = ""
"""How the first partition of the only topic, or a log, is called."""
TELL_EVERY_S: Final = 60.0
"""While an agent acts on that was cut off, people are told so often."""


class Seen(NamedTuple):
    """What one partition has shown of a trip.

    Attributes
    ----------
    watched_to
        Every record of the agent below this offset was counted.
    quiet
        Whether it shows silence.
    """

    watched_to: int
    quiet: bool


NOTHING_SEEN: Final = Seen(0, quiet=False)


@dataclass(frozen=True, slots=True)
class Watched:
    """What the stream watcher needs of a trip under which an agent is, or is being, cut off.

    Attributes
    ----------
    ordered_at, held_at, last_effective_at
        In seconds since the epoch; `held_at` is None until every point confirmed or was given up.
    seen
        By place, what partitions have shown.
    """

    trip_id: str
    agent_id: str
    ordered_at: float
    held_at: float | None
    last_effective_at: float | None
    seen: Mapping[str, Seen]


def watched(connection: Connection) -> list[Watched]:
    """The trips to watch."""
    columns = (
        trips.c.trip_id,
        trips.c.agent_id,
        trips.c.ordered_at,
        func.coalesce(trips.c.contained_at, trips.c.partial_at),
        trips.c.last_effective_at,
    )
    blocked = agents_table.c.state.in_(sorted(BLOCKED))
    current = agents_table.c.trip_id == trips.c.trip_id
    rows = connection.execute(
        select(*columns).join(agents_table, current).where(blocked).order_by(trips.c.ordered_at)
    ).all()
    shown: dict[str, dict[str, Seen]] = {row.trip_id: {} for row in rows}
    if rows:
        of_these = watches.c.trip_id == agents_table.c.trip_id
        for one in connection.execute(select(watches).join(agents_table, of_these).where(blocked)):
            shown.get(one.trip_id, {})[one.place] = Seen(one.watched_to, one.quiet)
    return [Watched(*row, shown[row.trip_id]) for row in rows]


def record_watch(
    connection: Connection,
    trip_id: str,
    *,
    place: str = FIRST_PLACE,
    effective: Sequence[float],
    early: Sequence[float] = (),
    refused: int,
    watched_to: int,
    receivers: Sequence[str],
    now_s: float,
) -> bool:
    """Add what was counted since the last call; an effective action ends silence.

    Of a trip that does not cut its agent off any more nothing is counted: whoever watched it has
    not seen yet that a person restored the agent.

    Parameters
    ----------
    place
        In which partition.
    effective
        When actions succeeded although the agent was cut off, in seconds since the epoch.
    early
        When others succeeded after the order, likewise.
    refused
        How many attempts were refused.
    watched_to
        The offset after the last record that was counted there. A call that reaches no further
        than what was seen there is a repeat after a crash, and changes nothing.

    Returns
    -------
    bool
        Whether anything was counted.
    """
    before = trip.get(connection, trip_id)
    agents.lock(connection, before.agent_id, now_s)
    before = trip.get(connection, trip_id)
    seen = _seen(connection, trip_id, place)
    if before.state not in BLOCKED or watched_to <= seen.watched_to:
        return False
    _store(connection, trip_id, place, Seen(watched_to, quiet=seen.quiet and not effective))
    first = [t for t in (before.first_effective_at, *effective) if t is not None]
    last = [t for t in (before.last_effective_at, *effective) if t is not None]
    last_early = [t for t in (before.last_early_at, *early) if t is not None]
    connection.execute(
        update(trips)
        .where(trips.c.trip_id == trip_id)
        .values(
            first_effective_at=min(first, default=None),
            last_effective_at=max(last, default=None),
            effective_count=trips.c.effective_count + len(effective),
            early_count=trips.c.early_count + len(early),
            last_early_at=max(last_early, default=None),
            refused_count=trips.c.refused_count + refused,
        )
    )
    if effective:
        if before.silent_at is not None:
            _wake(connection, before, now_s)
        told_at = before.effective_told_at
        if told_at is None or before.silent_at is not None or now_s - told_at >= TELL_EVERY_S:
            _still_acts(connection, trip_id, receivers, now_s)
    return True


def mark_silent(
    connection: Connection,
    trip_id: str,
    *,
    place: str = FIRST_PLACE,
    places: Collection[str] = (FIRST_PLACE,),
    receivers: Sequence[str],
    now_s: float,
) -> bool:
    """Say that a partition shows silence; tells whether the agent is silent now, and was not.

    An agent that is cut off only partly is proven silent, too, but stays partly cut off.

    Parameters
    ----------
    place
        Which partition.
    places
        All that the agent may write to: it is silent once each of them shows it, and each other
        one that it was seen in.
    """
    about = trip.get(connection, trip_id)
    agents.lock(connection, about.agent_id, now_s)
    about = trip.get(connection, trip_id)
    if about.state not in (AgentState.CONTAINED, AgentState.PARTIAL):
        return False
    seen = _seen(connection, trip_id, place)
    _store(connection, trip_id, place, seen._replace(quiet=True))
    of_trip = select(watches.c.place, watches.c.quiet).where(watches.c.trip_id == trip_id)
    shown = dict(iter(connection.execute(of_trip)))
    if not all(shown.values()) or not shown.keys() >= {*places}:
        return False
    if about.state is AgentState.CONTAINED:
        agents.enter(connection, about.agent_id, step(about.state, Cause.QUIET), now_s)
    elif about.silent_at is not None:
        return False
    connection.execute(update(trips).where(trips.c.trip_id == trip_id).values(silent_at=now_s))
    about = trip.get(connection, trip_id)
    # Without a refused attempt nobody knows whether the agent could still act: say so.
    tested = f"{about.refused_count} attempts refused" if about.refused_count else "untested"
    partly = " only partly" if about.state is AgentState.PARTIAL else ""
    headline = f"is quiet ({tested}) since it was cut off{partly}"
    audit.append(
        connection,
        at_s=now_s,
        actor="tripswitch",
        action="agent silent",
        subject=about.agent_id,
        doc={"trip_id": trip_id, "refused": about.refused_count,
             "time_to_silence_s": about.time_to_silence_s},
    )  # fmt: skip
    tell(connection, about, "trip_silent", headline, receivers, now_s, occasion=_occasion(about))
    return True


def _seen(connection: Connection, trip_id: str, place: str) -> Seen:
    query = select(watches.c.watched_to, watches.c.quiet).where(
        watches.c.trip_id == trip_id, watches.c.place == place
    )
    row = connection.execute(query).one_or_none()
    return NOTHING_SEEN if row is None else Seen(*row)


def _store(connection: Connection, trip_id: str, place: str, seen: Seen) -> None:
    upsert(connection, watches, [{"trip_id": trip_id, "place": place, **seen._asdict()}])


def _wake(connection: Connection, before: trip.Trip, now_s: float) -> None:
    """The agent was silent, and acts again."""
    if before.state is AgentState.SILENT:
        state = step(before.state, Cause.EFFECTIVE_ACTION)
        agents.enter(connection, before.agent_id, state, now_s)
    connection.execute(
        update(trips).where(trips.c.trip_id == before.trip_id).values(silent_at=None)
    )


def _still_acts(
    connection: Connection, trip_id: str, receivers: Sequence[str], now_s: float
) -> None:
    """Say that the agent still acts: at once, and once a minute while it goes on."""
    connection.execute(
        update(trips).where(trips.c.trip_id == trip_id).values(effective_told_at=now_s)
    )
    about = trip.get(connection, trip_id)
    audit.append(
        connection,
        at_s=now_s,
        actor="tripswitch",
        action="agent still acts",
        subject=about.agent_id,
        doc={"trip_id": about.trip_id, "effective": about.effective_count},
    )
    done = "1 action" if about.effective_count == 1 else f"{about.effective_count:,} actions"
    headline = f"still acts: {done} succeeded after it was cut off"
    occasion = _occasion(about)
    tell(connection, about, "trip_effective", headline, receivers, now_s, occasion=occasion)


def _occasion(about: trip.Trip) -> str:
    """Tells one silence, or the end of it, from the next."""
    return str(about.effective_count)
