"""The holdings: the shards that this process owns, how they come, are saved, and go."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from detectors.shard import Policy, Tally
from monitor.counts import Counts
from monitor.ledger import actions
from monitor.owned import Owned
from monitor.pulse import Pulse
from monitor.sources import Source
from monitor.store import Store, shards
from monitor.store.shards import ShardLostError
from monitor.watchtower import Watchtower

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Holdings:
    """What is ours until another process claims it; whatever finds that out, drops the shard.

    Attributes
    ----------
    owned
        By the partition's number within the source.
    """

    source: Source
    store: Store
    watchtower: Watchtower
    counts: Counts
    pulse: Pulse
    owned: dict[int, Owned] = field(default_factory=dict)

    def claim(self, partition: int, policy: Policy, owner: str) -> None:
        """Take a shard over, and have the source go on from where it was saved.

        Raises
        ------
        ShardLostError
            If a later claim was faster.
        """
        part = self.source.part(partition)
        owned, place = Owned.take(self.store, *part, policy, owner)
        owned.number = partition
        self.owned[partition] = owned
        owned.next_offset = self.source.start(partition, place)
        begin = place and self.source.describe(partition, place.next_offset)
        at = begin or "its start"
        log.info("claimed %s/%d, epoch %d, going on at %s", *part, owned.claim.epoch, at)

    def check(self, ledger: Connection, partitions: Sequence[int]) -> None:
        """See to it that what is written with this transaction is about shards of ours.

        Raises
        ------
        ShardLostError
            If one is not any more; it was dropped.
        """
        for partition in partitions:
            try:
                shards.check(ledger, self.owned[partition].claim)
            except ShardLostError:
                self._drop(partition)
                raise

    def keep_actions(self, owned: Owned) -> None:
        """Write what agents did; records that are read again after a crash are there already.

        Raises
        ------
        ShardLostError
            If the shard is no longer ours; nothing more was written.
        """
        while owned.actions:
            some = owned.actions[: actions.BATCH]
            with self.store.ledger() as ledger:
                self.check(ledger, [owned.number])
                actions.append(ledger, some)
            del owned.actions[: len(some)]

    def still(self, some: Sequence[Owned]) -> list[Owned]:
        """Those that are ours still."""
        return [owned for owned in some if self.owned.get(owned.number) is owned]

    def under_way(self) -> list[Owned]:
        """Those with a checkpoint that was begun and not ended."""
        return [owned for owned in self.owned.values() if owned.saving is not None]

    def save(self, owned: Owned, max_resident_agents: int) -> None:
        """End the checkpoint of a shard.

        Raises
        ------
        ShardLostError
            If the shard is no longer ours; nothing of it was saved.
        """
        try:
            owned.finish_saving(self.store, max_resident_agents)
        except ShardLostError:
            self._drop(owned.number)
            raise
        self.counts.checkpoints += 1
        tally, owned.shard.tally = owned.shard.tally, Tally()
        self.counts.add(tally)
        if tally.changed_ids:
            log.warning("%s/%d: %d events came under ids that had other content; they were scored",
                        *self.source.part(owned.number), tally.changed_ids)  # fmt: skip

    def let_go(self, partition: int) -> bool:
        """Forget a shard, saving nothing; tells whether it was ours."""
        self.watchtower.forget(partition)
        return self.owned.pop(partition, None) is not None

    def _drop(self, partition: int) -> None:
        shard = "{}/{}".format(*self.source.part(partition))
        log.error("%s was claimed by another process: dropped, nothing of it is saved", shard)
        self.pulse.refuse(shard)
        self.let_go(partition)
