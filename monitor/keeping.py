"""What agents did, on its way into the store: a thread may write it while the worker reads on.

What is not stored stays in memory, and no checkpoint passes it. A record that is read again after a
crash is there already.
"""

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from typing import Final

from monitor.ledger import actions
from monitor.ledger.actions import Row
from monitor.store import Store, shards
from monitor.store.shards import Claim

MAX_BATCHES: Final = 5
"""When so many wait, so does the worker."""


class Keeping:
    """The actions of one shard that are not in the store yet.

    Parameters
    ----------
    claim
        Of the shard.
    """

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._rows: list[Row] = []
        self._stored = 0
        self._writing: Future[int] | None = None
        self._has_failed = False

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def added(self) -> int:
        """How many were taken in so far, stored or not."""
        return self._stored + len(self._rows)

    @property
    def is_due(self) -> bool:
        """Whether there is a batch of them."""
        return len(self._rows) >= actions.BATCH

    def add(self, row: Row) -> None:
        """Take in one action."""
        self._rows.append(row)

    def go_on(self, store: Store, writer: Executor | None, wanted: int = 0) -> bool:
        """Have the next batch written, once the last one is.

        Parameters
        ----------
        store, writer
            Where to, and the thread that writes; None: this one, at once.
        wanted
            So many of those that were `added` are not to wait for a whole batch.

        Returns
        -------
        bool
            Whether those are stored.

        Raises
        ------
        ShardLostError
            If the shard is no longer ours.
        sqlalchemy.exc.DBAPIError
            If the store cannot be used; another call tries again, and waits for it.
        """
        if self._has_failed:
            self.finish(store, self.added)
        if self._writing is not None and (
            self._writing.done() or len(self._rows) >= MAX_BATCHES * actions.BATCH
        ):
            self._end_writing()
        if self._writing is None and (self.is_due or self._stored < wanted):
            if writer is None:
                self._write_batch(store)
            else:
                self._writing = writer.submit(self._write, store, self._rows[: actions.BATCH])
        return self._stored >= wanted

    def finish(self, store: Store, wanted: int) -> None:
        """See to it that so many of those that were `added` are stored; raises as `go_on`."""
        while self._stored < wanted:
            if self._writing is not None:
                self._end_writing()
            else:
                self._write_batch(store)

    def _end_writing(self) -> None:
        assert self._writing is not None
        writing, self._writing = self._writing, None
        self._has_failed = True  # unless it comes back
        self._take_off(writing.result())

    def _write_batch(self, store: Store) -> None:
        self._take_off(self._write(store, self._rows[: actions.BATCH], first=True))

    def _take_off(self, stored: int) -> None:
        del self._rows[:stored]
        self._stored += stored
        self._has_failed = False

    def _write(self, store: Store, rows: Sequence[Row], *, first: bool = False) -> int:
        with store.ledger(first=first) as ledger:
            shards.check(ledger, self._claim)
            actions.append(ledger, rows)
        return len(rows)
