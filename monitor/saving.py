"""The checkpoint of one shard: as it stands at one place of the log, stored while it goes on.

Its profiles are put down a few at a time, between two batches; one that changes before its turn is
put down first. When all are, and what agents did by then is stored (`keeping`), a thread stores
them with their offset in one transaction, which is there as a whole or not at all. Until then
nothing of it leaves memory.
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final

from detectors.shard import Shard
from detectors.snapshot import Snapshot
from monitor.keeping import Keeping
from monitor.sources import Place
from monitor.store import Store, cohorts, shards
from monitor.store.shards import Claim

_AT_A_TIME: Final = 10


@dataclass(frozen=True, slots=True)
class Threads:
    """One that writes to the ledger, and one that writes to the state: neither waits for the other.

    A worker's; they end with it.
    """

    ledger: ThreadPoolExecutor = field(default_factory=partial(ThreadPoolExecutor, 1))
    state: ThreadPoolExecutor = field(default_factory=partial(ThreadPoolExecutor, 1))

    def shutdown(self) -> None:
        """Wait for what they are at."""
        self.ledger.shutdown()
        self.state.shutdown()


class Saving:
    """A checkpoint under way.

    Parameters
    ----------
    claim, shard
        Whose it is. The shard counts what changes from now on for the next one.
    place
        Where to go on from.
    keeping
        What agents did: what was added by now is stored before.
    """

    def __init__(self, claim: Claim, shard: Shard, place: Place, keeping: Keeping) -> None:
        self.place = place
        self._keeping = keeping
        self._kept_before = keeping.added
        self._claim = claim
        self._shared = {"silence": shard.silence.dump()}
        self._cohorts = [cohorts.row(claim, *changed) for changed in shard.cohorts.changed()]
        shard.cohorts.saved()
        self._snapshot = Snapshot(shard.dirty, shard.profiles.packed)
        shard.snapshot = self._snapshot
        shard.dirty = set()
        self._stored: Future[None] | None = None

    @property
    def rows(self) -> int:
        """How many it stores: profiles, and what agents did."""
        return len(self._snapshot.agent_ids) + len(self._keeping)

    def go_on(self, store: Store, threads: Threads, until_s: float) -> bool:
        """Put profiles down until a time of the monotonic clock, then have them stored.

        Returns
        -------
        bool
            Whether that has ended, one way or the other: `finish` says which.

        Raises
        ------
        ShardLostError, sqlalchemy.exc.DBAPIError
            As of `Keeping.go_on`.
        """
        is_kept = self._keeping.go_on(store, threads.ledger, self._kept_before)
        turns = self._snapshot.put_down()
        while not self._snapshot.is_whole:
            if time.monotonic() >= until_s:
                return False
            for _ in islice(turns, _AT_A_TIME):
                pass
        if self._stored is None and is_kept:
            self._stored = threads.state.submit(self._store, store)
        return self._stored is not None and self._stored.done()

    def finish(self, store: Store) -> None:
        """See to it that all is stored; once that failed, another call tries again.

        Raises
        ------
        ShardLostError
            If the shard is no longer ours; nothing was stored.
        sqlalchemy.exc.DBAPIError
            If the store cannot be used.
        """
        self._keeping.finish(store, self._kept_before)
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
