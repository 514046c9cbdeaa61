"""What a shard leaves in the store: its claim, its place, its profiles.

A claim gives the shard to one owner under an epoch. Every transaction of the owner locks and
checks the epoch, so that one who lost the shard without noticing can save nothing any more.
"""

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, delete, select, update

from baselines.packed import MAX_BYTES, Packed, unpack
from baselines.packed import checksum as checksum_of
from baselines.profile import Profile, ProfileError, Rules
from monitor.sources import Place
from monitor.store import inventory
from monitor.store.schema import claims, damaged_profiles, profiles, shards
from monitor.store.sql import insert_if_missing, put_rows, upsert

log = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = MAX_BYTES
"""Of a stored profile or cohort; what they hold is bounded, so that none comes near it."""
_MAX_PARAMETERS: Final = 500


class ShardLostError(Exception):
    """Another owner has claimed the shard since; nothing of ours may be saved or done."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write for one shard."""

    source: str
    partition: int
    epoch: int


def claim(ledger: Connection, source: str, partition: int, *, owner: str, now_s: float) -> Claim:
    """Take a shard over, in the ledger; `adopt` must follow in the state."""
    new = {
        "source": source,
        "partition": partition,
        "epoch": 0,
        "owner": owner,
        "claimed_at": now_s,
    }
    insert_if_missing(ledger, claims, new)  # a row that is not there cannot be locked
    which = (claims.c.source == source, claims.c.partition == partition)
    before = ledger.execute(select(claims.c.epoch).where(*which).with_for_update()).scalar_one()
    epoch: int = before + 1
    taken = update(claims).where(*which)
    ledger.execute(taken.values(epoch=epoch, owner=owner, claimed_at=now_s))
    return Claim(source, partition, epoch)


def adopt(state: Connection, mine: Claim, now_s: float) -> Place | None:
    """Take a shard over in the state, and say where its last checkpoint stands.

    Raises
    ------
    ShardLostError
        If a later claim was faster.
    """
    new = {
        "source": mine.source,
        "partition": mine.partition,
        "epoch": 0,
        "next_offset": -1,
        "saved_at": now_s,
        "doc": '{"source": {}, "shard": null}',
    }
    insert_if_missing(state, shards, new)  # as in `claim`
    row = state.execute(_shard_row(mine).with_for_update()).one()
    if row.epoch > mine.epoch:
        raise ShardLostError
    state.execute(update(shards).where(*_is(mine)).values(epoch=mine.epoch))
    return Place(row.next_offset, json.loads(row.doc)["source"]) if row.next_offset >= 0 else None


def check(ledger: Connection, mine: Claim) -> None:
    """Keep the claim from being taken over while this ledger transaction lasts.

    Raises
    ------
    ShardLostError
        If it is no longer ours.
    """
    epoch = ledger.execute(
        select(claims.c.epoch)
        .where(claims.c.source == mine.source, claims.c.partition == mine.partition)
        .with_for_update(read=True)  # the owner's own threads need not wait for each other
    ).scalar_one_or_none()
    if epoch != mine.epoch:
        raise ShardLostError


def lock(state: Connection, mine: Claim) -> int:
    """Lock the shard for this state transaction; returns the offset of its last checkpoint.

    Raises
    ------
    ShardLostError
        If it is no longer ours.
    """
    row = state.execute(_shard_row(mine).with_for_update()).one_or_none()
    if row is None or row.epoch != mine.epoch:
        raise ShardLostError
    saved: int = row.next_offset
    return saved


def save(
    state: Connection,
    mine: Claim,
    place: Place,
    changed: Sequence[Packed],
    now_s: float,
    shared: Any = None,
) -> None:
    """Checkpoint: the changed profiles and the offset to go on from, in one transaction.

    Parameters
    ----------
    state, mine
        The transaction, and whose it is.
    place
        Where to go on.
    changed
        Profiles to store.
    now_s
        The clock, in seconds since the epoch.
    shared
        What the agents of the shard share, as plain JSON.

    Raises
    ------
    ShardLostError
        If the shard is no longer ours, or a checkpoint further on is stored.
    """
    if lock(state, mine) > place.next_offset:
        raise ShardLostError
    if changed:
        put(state, mine, changed)
    doc = json.dumps({"source": dict(place.notes), "shard": shared})
    state.execute(
        update(shards)
        .where(*_is(mine))
        .values(next_offset=place.next_offset, saved_at=now_s, doc=doc)
    )


def put(state: Connection, mine: Claim, changed: Sequence[Packed]) -> None:
    """Store profiles, one or more and each agent's once, in place of what was stored of them."""
    rows = [_row(mine, packed) for packed in changed]
    values = [tuple(row.values()) for row in rows]
    put_rows(state, profiles, tuple(rows[0]), values)


def load_shared(state: Connection, mine: Claim) -> tuple[Any, list[tuple[float, str]]]:
    """What the agents of a shard share, None before a checkpoint; and when each of them is due."""
    doc = state.execute(select(shards.c.doc).where(*_is(mine))).scalar_one()
    rows = state.execute(
        select(profiles.c.due, profiles.c.agent_id).where(
            profiles.c.source == mine.source,
            profiles.c.partition == mine.partition,
            profiles.c.due.is_not(None),
        )
    )
    return json.loads(doc)["shard"], [(due_s, agent_id) for due_s, agent_id in rows]


class Damaged(NamedTuple):
    """A stored profile that cannot be used."""

    agent_id: str
    body: bytes
    reason: str


def load_profiles(
    state: Connection, mine: Claim, agent_ids: Collection[str], rules: Rules
) -> tuple[list[Profile], list[Damaged]]:
    """The stored profiles of these agents; those that are damaged have to be `set_aside`."""
    wanted = list(agent_ids)
    found, damaged = [], []
    for start in range(0, len(wanted), _MAX_PARAMETERS):
        rows = state.execute(
            select(profiles.c.agent_id, profiles.c.checksum, profiles.c.body).where(
                profiles.c.source == mine.source,
                profiles.c.partition == mine.partition,
                profiles.c.agent_id.in_(wanted[start : start + _MAX_PARAMETERS]),
            )
        ).all()
        for agent_id, checksum, body in rows:
            try:
                found.append(read_profile(agent_id, checksum, body, rules))
            except ProfileError as error:
                damaged.append(Damaged(agent_id, body, str(error)))
    return found, damaged


def read_profiles(
    state: Connection, rules: Rules, *, agent_id: str | None = None, role: str | None = None
) -> Iterator[Profile]:
    """Stored profiles as of the last checkpoint, by agent; one that is damaged is passed over."""
    query = select(profiles.c.agent_id, profiles.c.checksum, profiles.c.body).order_by(
        profiles.c.agent_id, profiles.c.source, profiles.c.partition
    )
    if agent_id is not None:
        query = query.where(profiles.c.agent_id == agent_id)
    if role is not None:
        query = query.where(profiles.c.role == role)
    for row in state.execute(query):
        try:
            yield read_profile(row.agent_id, row.checksum, row.body, rules)
        except ProfileError as error:
            log.warning("profile of agent %r is damaged (%s): passed over", row.agent_id, error)


def read_profile(agent_id: str, checksum: bytes, body: bytes, rules: Rules) -> Profile:
    """A profile as it is stored.

    Raises
    ------
    ProfileError
        If it is damaged.
    """
    if len(body) > MAX_BODY_BYTES:
        raise ProfileError(f"{len(body)} bytes; at most {MAX_BODY_BYTES} are taken")
    if checksum_of(body) != checksum:
        raise ProfileError("checksum does not match")
    profile = unpack(body, rules)
    if profile.agent_id != agent_id:
        raise ProfileError("belongs to another agent")
    return profile


def set_aside(state: Connection, mine: Claim, damaged: Iterable[Damaged], now_s: float) -> None:
    """Keep damaged profiles apart, for people to look at; their agents start anew."""
    for agent_id, body, why in damaged:
        log.error(
            "profile of agent %r in %s/%d is damaged (%s): kept in damaged_profiles, learning anew",
            agent_id, mine.source, mine.partition, why,
        )  # fmt: skip
        key = {"source": mine.source, "partition": mine.partition, "agent_id": agent_id}
        upsert(state, damaged_profiles, [{**key, "found_at": now_s, "reason": why, "body": body}])
        state.execute(
            delete(profiles).where(
                profiles.c.source == mine.source,
                profiles.c.partition == mine.partition,
                profiles.c.agent_id == agent_id,
            )
        )


def _row(mine: Claim, packed: Packed) -> dict[str, Any]:
    return {
        "source": mine.source,
        "partition": mine.partition,
        **inventory.columns(packed.summary),
        "due": packed.due_s,
        "checksum": packed.checksum,
        "body": packed.body,
    }


def _is(mine: Claim) -> tuple[ColumnElement[bool], ...]:
    return (shards.c.source == mine.source, shards.c.partition == mine.partition)


def _shard_row(mine: Claim) -> Select[tuple[int, int, str]]:
    return select(shards.c.epoch, shards.c.next_offset, shards.c.doc).where(*_is(mine))
