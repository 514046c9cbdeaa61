"""Agents that turn up in another partition than before: they start from a copy of their profile.

So it is when a topic gets more partitions, and where a producer changes its keys. A copy is stored
before it is used, so that a crash meets the same one again.
"""

import logging
from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from baselines.profile import Profile, ProfileError, Rules
from monitor.store import shards
from monitor.store.schema import profiles
from monitor.store.shards import Claim
from monitor.store.sql import insert_if_missing

log = logging.getLogger(__name__)

_MAX_PARAMETERS: Final = 500

Row = dict[str, Any]


def known_elsewhere(state: Connection, mine: Claim, agent_ids: Collection[str]) -> list[Row]:
    """The newest stored profile of each of these agents in other partitions of the topic."""
    wanted, found = list(agent_ids), dict[str, Row]()
    for start in range(0, len(wanted), _MAX_PARAMETERS):
        query = (
            select(profiles)
            .where(
                profiles.c.agent_id.in_(wanted[start : start + _MAX_PARAMETERS]),
                profiles.c.source == mine.source,
                profiles.c.partition != mine.partition,
            )
            .order_by(profiles.c.last_seen)
        )
        found |= {row["agent_id"]: dict(row) for row in state.execute(query).mappings()}
    return list(found.values())


def copy(state: Connection, mine: Claim, rows: Sequence[Row], rules: Rules) -> list[Profile]:
    """Store them as this partition's own; one that is damaged is left where it is.

    Raises
    ------
    ShardLostError
        If the shard is no longer ours; nothing was stored.
    """
    shards.lock(state, mine)
    made = []
    for row in rows:
        try:
            profile = shards.read_profile(row["agent_id"], row["checksum"], row["body"], rules)
        except ProfileError:
            continue  # said by whoever reads that partition
        insert_if_missing(state, profiles, row | {"partition": mine.partition})
        made.append(profile)
    if made:
        log.warning(
            "%d agents turned up in %s/%d that were in another partition before, such as %r: each "
            "starts from a copy of its profile",
            *(len(made), mine.source, mine.partition, made[0].agent_id),
        )
    return made
