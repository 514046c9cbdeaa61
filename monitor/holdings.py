"""The holdings: the shards that this process owns, how they come, are saved, and go."""

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from detectors.shard import Policy, Tally
from monitor.counts import Counts
from monitor.owned import Owned
from monitor.pulse import Pulse
from monitor.saving import Threads
from monitor.sources import Source
from monitor.store import Store, shards
from monitor.store.shards import ShardLostError
from monitor.timing import Timing
from monitor.watchtower import Watchtower

log = logging.getLogger(__name__)

AGAIN_S: Final = 10.0
"""By then a process that is out of its group has been told so."""


@dataclass(slots=True)
class Holdings:
    """What is ours until another process claims it; whatever finds that out, drops the shard.

    Attributes
    ----------
    owned
        By the partition's number within the source.
    refused
        Partitions that a later claim took: when to see whether they are ours all the same.
    """

    source: Source
    store: Store
    watchtower: Watchtower
    counts: Counts
    pulse: Pulse
    owned: dict[int, Owned] = field(default_factory=dict)
    refused: dict[int, float] = field(default_factory=dict)

    def claim(self, partition: int, policy: Policy, owner: str) -> None:
        """Take a shard over, and have the source go on from where it was saved.

        Where nothing was, it is saved where reading begins, before anything is read.

        Raises
        ------
        ShardLostError
            If a later claim was faster.
        """
        part = self.source.part(partition)
        self.refused[partition] = time.monotonic() + AGAIN_S  # unless it succeeds
        owned, place = Owned.take(self.store, *part, policy, owner)
        del self.refused[partition]
        owned.number = partition
        owned.next_offset = self.source.start(partition, place)
        if place is None:
            with self._ours(owned):
                owned.begin_saving(self.source.notes(partition))
                owned.finish_saving(self.store)
            self.source.commit({partition: owned.saved_offset})
        self.owned[partition] = owned
        begin = place and self.source.describe(partition, place.next_offset)
        at = begin or "its start"
        log.info("claimed %s/%d, epoch %d, going on at %s", *part, owned.claim.epoch, at)

    def wrongly_lost(self) -> list[int]:
        """Partitions that were claimed by another process some time ago, and are ours all the same.

        So it is after one woke up with an assignment of yesterday, claimed by it, and was told then
        that it is out of the group: nobody else would read them again.
        """
        now_s = time.monotonic()
        due = [partition for partition, at_s in self.refused.items() if now_s >= at_s]
        for partition in due:
            self.refused[partition] = now_s + AGAIN_S
        return [partition for partition in due if self.source.is_ours(partition)]

    def check(self, ledger: Connection, partitions: Sequence[int]) -> None:
        """See to it that what is written with this transaction is about shards of ours.

        Raises
        ------
        ShardLostError
            If one is not any more; it was dropped.
        """
        for partition in partitions:
            owned = self.owned[partition]
            with self._ours(owned):
                shards.check(ledger, owned.claim)

    def keep(self, owned: Owned, writer: Executor) -> None:
        """Have some of what agents did written, by a thread where that wins anything.

        Raises
        ------
        ShardLostError
            If the shard is no longer ours; nothing more was written.
        """
        with self._ours(owned):
            # On SQLite a thread would take turns with the worker rather than work beside it.
            owned.keeping.go_on(self.store, None if self.store.is_sqlite else writer)

    def under_way(self) -> list[Owned]:
        """Those with a checkpoint that was begun and not ended."""
        return [owned for owned in self.owned.values() if owned.saving is not None]

    def go_on_saving(self, owned: Owned, threads: Threads, until_s: float) -> bool:
        """Give a checkpoint that is under way a little time, until one of the monotonic clock.

        Returns
        -------
        bool
            Whether only `save` is left to do.

        Raises
        ------
        ShardLostError, sqlalchemy.exc.DBAPIError
            As of `Keeping.go_on`.
        """
        assert owned.saving is not None
        with self._ours(owned):
            return owned.saving.go_on(self.store, threads, until_s)

    def save(self, owned: Owned, timing: Timing) -> None:
        """End the checkpoint of a shard; then let the least recent profiles beyond its share go.

        Raises
        ------
        ShardLostError
            If the shard is no longer ours; nothing of it was saved.
        """
        with self._ours(owned):
            owned.finish_saving(self.store)
        owned.shard.profiles.max_awake = max(1, timing.max_active_agents // len(self.owned))
        owned.shard.forget_beyond(max(1, timing.max_resident_agents // len(self.owned)))
        self.counts.checkpoints += 1
        tally, owned.shard.tally = owned.shard.tally, Tally()
        self.counts.add(tally)
        if tally.changed_ids:
            log.warning("%s/%d: %d events came under ids that had other content; they were scored",
                        *self.source.part(owned.number), tally.changed_ids)  # fmt: skip

    def let_go(self, partition: int) -> bool:
        """Forget a shard, saving nothing; tells whether it was ours."""
        self.refused.pop(partition, None)
        self.watchtower.forget(partition)
        return self.owned.pop(partition, None) is not None

    @contextmanager
    def _ours(self, owned: Owned) -> Iterator[None]:
        """Drop a shard that turns out to be no longer ours."""
        try:
            yield
        except ShardLostError:
            self._drop(owned.number)
            raise

    def _drop(self, partition: int) -> None:
        shard = "{}/{}".format(*self.source.part(partition))
        log.error("%s was claimed by another process: dropped, nothing of it is saved", shard)
        self.pulse.refuse(shard)
        self.let_go(partition)
        self.refused[partition] = time.monotonic() + AGAIN_S
