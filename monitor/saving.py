"""The checkpoint of one shard: as it stands at one place of the log, stored while it goes on.

Its profiles are put down a few at a time, between two batches; one that changes before its turn is
put down first. When all are, a thread stores them with their offset in one transaction, which is
there as a whole or not at all. Until then nothing of it leaves memory.
"""

import time
from concurrent.futures import Executor, Future
from itertools import islice
from typing import Final

from detectors.shard import Shard
from detectors.snapshot import Snapshot
from monitor.sources import Place
from monitor.store import Store, cohorts, shards
from monitor.store.shards import Claim

_AT_A_TIME: Final = 10


class Saving:
    """A checkpoint under way.

    Parameters
    ----------
    claim, shard
        Whose it is. The shard counts what changes from now on for the next one.
    place
        Where to go on from.
    """

    def __init__(self, claim: Claim, shard: Shard, place: Place) -> None:
        self.place = place
        self._claim = claim
        self._shared = {"silence": shard.silence.dump()}
        self._cohorts = [cohorts.row(claim, *changed) for changed in shard.cohorts.changed()]
        shard.cohorts.saved()
        self._snapshot = Snapshot(shard.dirty, shard.profiles.packed)
        shard.snapshot = self._snapshot
        shard.dirty = set()
        self._stored: Future[None] | None = None

    @property
    def profiles(self) -> int:
        """How many it stores."""
        return len(self._snapshot.agent_ids)

    def go_on(self, store: Store, writer: Executor, until_s: float) -> bool:
        """Put profiles down until a time of the monotonic clock, then have them stored.

        Returns
        -------
        bool
            Whether that has ended, one way or the other: `finish` says which.
        """
        turns = self._snapshot.put_down()
        while not self._snapshot.is_whole:
            if time.monotonic() >= until_s:
                return False
            for _ in islice(turns, _AT_A_TIME):
                pass
        if self._stored is None:
            self._stored = writer.submit(self._store, store)
        return self._stored.done()

    def finish(self, store: Store) -> None:
        """See to it that all is stored; once that failed, another call tries again.

        Raises
        ------
        ShardLostError
            If the shard is no longer ours; nothing was stored.
        sqlalchemy.exc.DBAPIError
            If the store cannot be used.
        """
        for _ in self._snapshot.put_down():
            pass
        stored, self._stored = self._stored, None
        if stored is None:
            self._store(store)
        else:
            stored.result()

    def _store(self, store: Store) -> None:
        with store.state() as state:
            shards.save(
                state, self._claim, self.place, self._snapshot.kept, time.time(), self._shared
            )
            cohorts.save(state, self._cohorts)
        self._snapshot.clear()  # here, and not where the loop would wait for it
