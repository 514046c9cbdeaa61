"""What the stream shows of an agent that was cut off, written to its trip."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from alerting.killswitch import BLOCKED, AgentState, Cause, step
from monitor.ledger import agents, audit, trip
from monitor.ledger.outcome import tell
from monitor.store.schema import agents as agents_table
from monitor.store.schema import trips


@dataclass(frozen=True, slots=True)
class Watched:
    """What the stream watcher needs of a trip under which an agent is, or is being, cut off.

    Attributes
    ----------
    ordered_at, contained_at, last_effective_at
        In seconds since the epoch; `contained_at` is None until every point confirmed.
    watched_to
        Every record of the agent below this offset was counted.
    silent
        Whether the agent was found silent.
    """

    trip_id: str
    agent_id: str
    ordered_at: float
    contained_at: float | None
    last_effective_at: float | None
    watched_to: int
    silent: bool


def watched(connection: Connection) -> list[Watched]:
    """The trips to watch."""
    columns = (
        trips.c.trip_id,
        trips.c.agent_id,
        trips.c.ordered_at,
        trips.c.contained_at,
        trips.c.last_effective_at,
        trips.c.watched_to,
        agents_table.c.state,
    )
    rows = connection.execute(
        select(*columns)
        .join(agents_table, agents_table.c.trip_id == trips.c.trip_id)
        .where(agents_table.c.state.in_(sorted(BLOCKED)))
        .order_by(trips.c.ordered_at)
    )
    return [Watched(*row[:-1], silent=row.state == AgentState.SILENT) for row in rows]


def record_watch(
    connection: Connection,
    trip_id: str,
    *,
    effective: Sequence[float],
    refused: int,
    watched_to: int,
    receivers: Sequence[str],
    now_s: float,
) -> bool:
    """Add what was counted since the last call; an effective action ends silence.

    Parameters
    ----------
    effective
        When actions succeeded after containment, in seconds since the epoch.
    refused
        How many attempts were refused.
    watched_to
        The offset after the last record that was counted. A call that reaches no further than
        the trip's own `watched_to` is a repeat after a crash, and changes nothing.

    Returns
    -------
    bool
        Whether anything was counted.
    """
    before = trip.get(connection, trip_id)
    agents.lock(connection, before.agent_id, now_s)
    before = trip.get(connection, trip_id)
    if watched_to <= before.watched_to:
        return False
    acted = list(effective)
    first = [t for t in (before.first_effective_at, *acted) if t is not None]
    last = [t for t in (before.last_effective_at, *acted) if t is not None]
    connection.execute(
        update(trips)
        .where(trips.c.trip_id == trip_id)
        .values(
            first_effective_at=min(first, default=None),
            last_effective_at=max(last, default=None),
            effective_count=trips.c.effective_count + len(acted),
            refused_count=trips.c.refused_count + refused,
            watched_to=watched_to,
        )
    )
    if acted and (before.effective_count == 0 or before.state is AgentState.SILENT):
        _still_acts(connection, before, receivers, now_s)
    return True


def mark_silent(
    connection: Connection, trip_id: str, *, receivers: Sequence[str], now_s: float
) -> bool:
    """Say that the stream shows silence; tells whether that was news."""
    about = trip.get(connection, trip_id)
    agents.lock(connection, about.agent_id, now_s)
    about = trip.get(connection, trip_id)
    if about.state is not AgentState.CONTAINED:
        return False
    agents.enter(connection, about.agent_id, step(about.state, Cause.QUIET), now_s)
    connection.execute(update(trips).where(trips.c.trip_id == trip_id).values(silent_at=now_s))
    about = trip.get(connection, trip_id)
    # Without a refused attempt nobody knows whether the agent could still act: say so.
    tested = f"{about.refused_count} attempts refused" if about.refused_count else "untested"
    headline = f"is quiet ({tested}) since it was cut off"
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


def _still_acts(
    connection: Connection, before: trip.Trip, receivers: Sequence[str], now_s: float
) -> None:
    """Say that an action succeeded after containment, once and again after each silence."""
    if before.state is AgentState.SILENT:
        state = step(before.state, Cause.EFFECTIVE_ACTION)
        agents.enter(connection, before.agent_id, state, now_s)
        connection.execute(
            update(trips).where(trips.c.trip_id == before.trip_id).values(silent_at=None)
        )
    about = trip.get(connection, before.trip_id)
    audit.append(
        connection,
        at_s=now_s,
        actor="tripswitch",
        action="agent still acts",
        subject=about.agent_id,
        doc={"trip_id": about.trip_id, "effective": about.effective_count},
    )
    headline = "still acts: an action succeeded after it was cut off"
    occasion = _occasion(about)
    tell(connection, about, "trip_effective", headline, receivers, now_s, occasion=occasion)


def _occasion(about: trip.Trip) -> str:
    """Tells one silence, or the end of it, from the next."""
    return str(about.effective_count)
