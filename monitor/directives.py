"""Directives: what people teach, applied at a place of the log, so that a restart repeats it.

A new directive is stamped with its partition's next offset in a ledger transaction that checks the
epoch, and only then applied in memory. That is done right after the snapshot for a checkpoint, so:

- a later checkpoint, which lies further on in the log, holds it;
- a restart from this checkpoint, or from an older one (a power failure may take the last ones
  away, a backup may bring old ones back), finds its stamp at or past the checkpoint's offset, and
  applies it again before it feeds the record there.

So each directive meets each profile exactly once, at the same place, however often the worker
crashes. Replays take none.
"""

import logging
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from baselines.profile import Profile
from monitor import teaching
from monitor.ledger import directives as ledger_directives
from monitor.ledger.directives import Directive
from monitor.owned import Owned
from monitor.sources import Chunk, Record
from monitor.store import Store, shards

log = logging.getLogger(__name__)

MAX_AT_ONCE: Final = 100
"""So many new directives of a partition are applied at one checkpoint; the rest at the next."""


def _approve(profile: Profile, directive: Directive) -> None:
    profile.conduct.approve(directive.by, directive.created_at)


def _expect(profile: Profile, directive: Directive) -> None:
    lessons = teaching.read(directive.doc)
    teaching.apply(profile, lessons, by=directive.by, at_s=directive.created_at)


def _probation(profile: Profile, directive: Directive) -> None:
    profile.put_on_probation(directive.until or 0.0)


KINDS: Final[Mapping[str, Callable[[Profile, Directive], None]]] = {
    "approve": _approve,
    teaching.KIND: _expect,
    "probation": _probation,
}
"""What each kind of directive does to a profile."""


def teach(store: Store, owned_by_number: Mapping[int, Owned]) -> None:
    """Right behind a snapshot: stamp what is new and apply it; elsewhere, at a later one.

    Raises
    ------
    ShardLostError
        If a shard is no longer ours; nothing was stamped in it.
    """
    current = {
        (one.claim.source, one.claim.partition): one
        for one in owned_by_number.values()
        if one.next_offset == one.snapshot_offset
    }
    with store.read() as ledger:
        saved = {place: owned.saved_offset for place, owned in current.items()}
        waiting = ledger_directives.unapplied_in(ledger, saved)
    for place in sorted(waiting):
        owned = current[place]
        with store.read() as ledger:
            new = ledger_directives.unstamped(ledger, *place)
        if missing := owned.absent(directive.agent_id for directive in new):
            owned.admit(store, missing)
        # One whose agent has no profile here waits until there is one.
        present = owned.shard.profiles.keys()
        seqs = [directive.seq for directive in new if directive.agent_id in present][:MAX_AT_ONCE]
        if seqs:
            with store.ledger() as ledger:
                shards.check(ledger, owned.claim)
                ledger_directives.stamp(ledger, seqs, owned.next_offset, time.time())
        owned.recall(store)
        apply(store, owned, owned.next_offset)


def apply(store: Store, owned: Owned, offset: int) -> None:
    """Apply what is stamped at or before an offset that everything before was fed up to."""
    while owned.pending and _offset(owned.pending[0]) <= offset:
        directive, profiles = owned.pending[0], owned.shard.profiles
        if directive.agent_id not in profiles:
            owned.admit(store, {directive.agent_id})
        del owned.pending[0]
        owned.applied.add(directive.seq)
        profile, teach_kind = profiles.get(directive.agent_id), KINDS.get(directive.kind)
        if profile is None or teach_kind is None:
            log.error("directive %d (%s) for agent %r cannot be applied: %s", directive.seq,
                      directive.kind, directive.agent_id,
                      "it has no profile" if profile is None else "unknown kind")  # fmt: skip
            continue
        owned.shard.changes(directive.agent_id)
        teach_kind(profile, directive)


def slices(
    store: Store,
    owned: Owned,
    chunk: Chunk,
    size: int,
    durably: Callable[[Callable[[], None]], object],
) -> Iterator[Sequence[Record]]:
    """Cut a chunk into slices, and apply between them what is to be applied again there.

    Parameters
    ----------
    store
        Where a profile that is not in memory is.
    owned, chunk
        The shard, and records of it.
    size
        At most so many records a slice.
    durably
        Does what it is given, and again while the store fails.
    """
    records, start = chunk.records, 0
    while start < len(records):
        end = min(start + size, len(records))
        if owned.pending:
            durably(lambda: apply(store, owned, records[start].offset))  # noqa: B023 - done at once
        if owned.pending:
            first = _offset(owned.pending[0])
            end = bisect_left(records, first, start, end, key=lambda record: record.offset)
        yield records[start:end]
        start = end
    # What is stamped right behind the chunk waits: the checkpoint there must not hold it.
    if owned.pending:
        durably(lambda: apply(store, owned, chunk.next_offset - 1))


def _offset(directive: Directive) -> int:
    assert directive.offset is not None  # only stamped ones are ever pending
    return directive.offset
