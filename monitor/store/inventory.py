"""The inventory: every agent that a checkpoint holds, listed without reading a profile's body."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, RowMapping, and_, exists, func, or_, select, tuple_

from baselines.event import MAX_NAME_CHARS
from baselines.summary import Learned, Summary
from monitor.store.schema import profiles, shards
from monitor.store.sql import storable

_MAX_PARAMETERS: Final = 500
_HEADLINE: Final = "run"


class Sighting(NamedTuple):
    """Where an agent was seen, and when last there, in seconds since the epoch."""

    source: str
    partition: int
    last_seen_s: float


@dataclass(frozen=True, slots=True)
class Known:
    """One agent as of the last checkpoint.

    Attributes
    ----------
    summary
        Of the profile that saw it last.
    sightings
        Where it has a profile, the newest first; in more than one, its key changed or the topic
        was repartitioned.
    """

    summary: Summary
    sightings: Sequence[Sighting]


class Tally(NamedTuple):
    """How many profiles there are, and how many of them are calibrated."""

    profiles: int
    calibrated: int


def columns(summary: Summary) -> dict[str, Any]:
    """The columns of a profile's row that hold its summary."""
    role, version = summary.role, summary.agent_version
    return {
        "agent_id": summary.agent_id,
        "role": role,
        # unlike a role, it may hold what PostgreSQL does not store
        "agent_version": None if version is None else storable(version, MAX_NAME_CHARS),
        "first_seen": summary.first_seen_s,
        "last_seen": summary.last_seen_s,
        "events": summary.events,
        "calibrated_since": summary.learned[_HEADLINE].since_s,
        "learned": json.dumps(summary.learned),
    }


def newest(
    state: Connection,
    *,
    agent_id: str | None = None,
    role: str | None = None,
    calibrated: bool | None = None,
    limit: int,
) -> list[Known]:
    """Agents, those that acted last first; each once, by the profile that saw it last.

    Parameters
    ----------
    state
        A transaction that reads the state.
    agent_id, role, calibrated
        Only these; None for all.
    limit
        At most so many.
    """
    newer = profiles.alias("newer")
    later = exists().where(
        newer.c.agent_id == profiles.c.agent_id,
        or_(
            newer.c.last_seen > profiles.c.last_seen,
            and_(
                newer.c.last_seen == profiles.c.last_seen,
                tuple_(newer.c.source, newer.c.partition)
                > tuple_(profiles.c.source, profiles.c.partition),
            ),
        ),
    )
    query = (
        select(*(column for column in profiles.c if column.name not in ("checksum", "body")))
        .where(~later)
        .order_by(profiles.c.last_seen.desc())
        .limit(limit)
    )
    if agent_id is not None:
        query = query.where(profiles.c.agent_id == agent_id)
    if role is not None:
        query = query.where(profiles.c.role == role)
    if calibrated is not None:
        since = profiles.c.calibrated_since
        query = query.where(since.is_not(None) if calibrated else since.is_(None))
    rows = state.execute(query).mappings().all()
    found = sightings(state, [row["agent_id"] for row in rows])
    return [Known(_summary(row), found[row["agent_id"]]) for row in rows]


def ids(
    state: Connection, *, role: str | None = None, after: str = "", limit: int = 1000
) -> Sequence[str]:
    """Agents whose id is larger than `after`, in order: all of them, or those of one role.

    An agent with profiles in several partitions is of each role that one of them has.
    """
    query = select(profiles.c.agent_id).where(profiles.c.agent_id > after)
    if role is not None:
        query = query.where(profiles.c.role == role)
    query = query.distinct().order_by(profiles.c.agent_id).limit(limit)
    return state.execute(query).scalars().all()


def tally(state: Connection) -> Tally:
    """Count the profiles; an index has all that it needs."""
    counts = select(func.count(profiles.c.last_seen), func.count(profiles.c.calibrated_since))
    return Tally(*state.execute(counts).one())


def was_used(state: Connection) -> bool:
    """Whether any daemon ever worked on this store."""
    return state.execute(select(shards.c.epoch).limit(1)).first() is not None


def sightings(state: Connection, agent_ids: Sequence[str]) -> dict[str, list[Sighting]]:
    """Where each of these agents has a profile, the newest first."""
    found: dict[str, list[Sighting]] = {agent_id: [] for agent_id in agent_ids}
    for start in range(0, len(agent_ids), _MAX_PARAMETERS):
        rows = state.execute(
            select(
                profiles.c.agent_id, profiles.c.source, profiles.c.partition, profiles.c.last_seen
            )
            .where(profiles.c.agent_id.in_(agent_ids[start : start + _MAX_PARAMETERS]))
            .order_by(
                profiles.c.last_seen.desc(), profiles.c.source.desc(), profiles.c.partition.desc()
            )
        )
        for agent_id, *place in rows:
            found[agent_id].append(Sighting(*place))
    return found


def _summary(row: RowMapping) -> Summary:
    learned = {family: Learned(*of) for family, of in json.loads(row["learned"]).items()}
    return Summary(
        agent_id=row["agent_id"],
        role=row["role"],
        agent_version=row["agent_version"],
        first_seen_s=row["first_seen"],
        last_seen_s=row["last_seen"],
        events=row["events"],
        learned=learned,
    )
