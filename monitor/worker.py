"""The worker: from records to anomalies in the ledger and profiles in checkpoints.

The order of things, for each batch that a poll returns:

1. Take note of partitions lost (drop the shard, save nothing) and assigned (claim, load, start).
2. Parse each record; what is no event goes to the dead letters, with its reason and place.
3. Feed each event to its shard, in memory.
4. Put anomalies, alerts, outbox, trips and watch counts into the ledger, in one transaction
   that checks the epoch of every shard in it. Only then wake the lanes that act on it.
5. Every few seconds, for each shard: flush the dead letters and what agents did (most of it is
   written before, `keeping`), then save changed profiles and `next_offset` in one transaction
   that checks the epoch, then tell the source (advisory). If there are many, this goes on between
   the next batches (`saving`). What people taught is stamped and applied behind it (`directives`).

A crash anywhere replays from the last checkpoint: the same events meet the same profiles, so the
same anomalies come out, and the ledger passes over those it has. While the store cannot be
reached the worker holds the source and tries again; nothing is dropped, polling goes on.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import inf
from queue import SimpleQueue
from typing import Final, TypeVar

from detectors.finding import Anomaly
from detectors.shard import Policy
from monitor import directives
from monitor.counts import Counts
from monitor.dead_letter import DeadLetter, DeadLetterError, DeadLetters
from monitor.decode import Decoder
from monitor.durable import RETRY_S, StoppedError, durably
from monitor.holdings import Holdings
from monitor.ledger import intake
from monitor.ledger.response import Response
from monitor.owned import Owned
from monitor.pulse import Pulse
from monitor.roundup import Roundup
from monitor.saving import Threads
from monitor.sources import Chunk, Record, Source
from monitor.store import Store
from monitor.store.shards import ShardLostError
from monitor.timing import Timing
from monitor.watchtower import Watchtower

log = logging.getLogger(__name__)

SLICE: Final = 100
"""So many events are objects at once: an eighth faster than 2,000, which outgrow the cache."""
MAX_AT_ONCE: Final = 20
"""A checkpoint of more rows goes on between batches: a large profile takes a millisecond."""
_SAVING_S: Final = 0.01
_BUSY_POLL_S: Final = 0.001

ResultT = TypeVar("ResultT")


@dataclass(slots=True)
class Worker:
    """Drives one source through its shards; owned by one thread.

    Parameters
    ----------
    source, store, dead_letters
        Where records come from, where results go, and where what is no event goes.
    policy
        What is odd.
    response
        What is done about it.
    watchtower
        Follows agents that were cut off.
    owner
        Names this process in the claims.
    on_ledger
        Called after each ledger transaction that stored something: wakes the lanes.
    roundup
        Is shown who acts while an order about many agents is in force.
    timing
        Intervals.
    decoder
        Makes events of records.
    keeps_history
        Whether what agents do is kept, record by record.
    """

    source: Source
    store: Store
    dead_letters: DeadLetters
    policy: Policy
    response: Response
    watchtower: Watchtower
    owner: str
    on_ledger: Callable[[], None]
    roundup: Roundup | None = None
    timing: Timing = field(default_factory=Timing)
    decoder: Decoder = field(default_factory=Decoder)
    keeps_history: bool = False
    counts: Counts = field(default_factory=Counts)
    pulse: Pulse = field(default_factory=Pulse)
    asked: SimpleQueue[Callable[[], object]] = field(default_factory=SimpleQueue)
    """Done between two batches; a signal handler may put in, too."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _next_checkpoint_s: float = 0.0
    _threads: Threads = field(default_factory=Threads)
    _holdings: Holdings = field(init=False)

    def __post_init__(self) -> None:
        self._holdings = Holdings(self.source, self.store, self.watchtower, self.counts, self.pulse)

    @property
    def owned(self) -> dict[int, Owned]:
        """The shards that are ours, by the partition's number within the source."""
        return self._holdings.owned

    def stop(self) -> None:
        """Ask the worker to save and return; may be called from a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Work until stopped, or until the source is exhausted; then save.

        Raises
        ------
        SourceError
            If the source cannot be read.
        """
        self._next_checkpoint_s = time.monotonic() + self.timing.checkpoint_s
        try:
            while not self._stop.is_set():
                idle = not self.step()
                if idle and self.source.exhausted():
                    break
            self.checkpoint()
        except StoppedError:
            log.warning("stopped without a last checkpoint: the store, or Kafka, cannot be reached")
        finally:
            self._threads.shutdown()

    def step(self) -> bool:
        """One poll and all that follows; tells whether there was anything to read."""
        self.pulse.turn()
        while not self.asked.empty():
            self.asked.get()()
        chunks = self.source.poll(
            _BUSY_POLL_S if self._holdings.under_way() else self.timing.poll_s
        )
        read_at_s = time.time()
        changed = self._reassign()
        # Before the batch: what an agent did that was cut off while nobody read counts, too.
        self.watchtower.look(self.store, self.source, self.owned, time.monotonic())
        found: dict[int, list[Anomaly]] = {}
        for chunk in chunks:
            owned = self.owned.get(chunk.partition)
            # What was polled before a partition came back is not where it goes on from now.
            if owned is not None and chunk.partition not in changed:
                found[chunk.partition] = self._consume(owned, chunk)
        self.watchtower.judge(self.owned)
        if any(found.values()) or self.watchtower.has_news(time.monotonic()):
            self._durably(lambda: self._record(found, read_at_s))
        if self._holdings.under_way():
            self._go_on_saving()
        elif time.monotonic() >= self._next_checkpoint_s:
            self.checkpoint(at_once=MAX_AT_ONCE)
        return bool(chunks)

    def checkpoint(self, at_once: float = inf) -> None:
        """Save every shard that moved; the dead letters of what it passes are durable first.

        Parameters
        ----------
        at_once
            With more rows to store than this, it is only begun, and goes on between batches.
        """
        if self._holdings.under_way():
            self._finish_saving()
        if self.watchtower.has_news():  # what is passed by now is not counted again
            self._durably(lambda: self._record({}, time.time()))
        moved = [o for o in self.owned.values() if o.next_offset > o.saved_offset]
        if moved:
            try:
                self.dead_letters.flush()
            except DeadLetterError as error:
                log.error("checkpoint put off, dead letters are not durable: %s", error)
                self._next_checkpoint_s = time.monotonic() + RETRY_S
                return
            savings = [o.begin_saving(self.source.notes(o.number)) for o in moved]
            if sum(saving.rows for saving in savings) <= at_once:
                self._finish_saving()
        self._durably(lambda: directives.teach(self.store, self.owned))
        self._next_checkpoint_s = time.monotonic() + self.timing.checkpoint_s

    def _go_on_saving(self) -> None:
        """Give a checkpoint that is under way a little time; once all is stored, end it."""
        until_s = time.monotonic() + _SAVING_S
        ended = [
            self._durably(partial(self._holdings.go_on_saving, owned, self._threads, until_s))
            for owned in self._holdings.under_way()
        ]
        if False not in ended:  # one that was lost meanwhile is not waited for
            self._finish_saving()

    def _finish_saving(self) -> None:
        for owned in self._holdings.under_way():
            self._durably(partial(self._holdings.save, owned, self.timing))
        if self.owned:
            self.source.commit({p: o.saved_offset for p, o in self.owned.items()})

    def _reassign(self) -> set[int]:
        """Follow the assignment; returns the partitions that came or went."""
        lost, assigned = self.source.take_changes()
        for partition in lost:
            if self._holdings.let_go(partition):
                part = self.source.part(partition)
                log.info("lost %s/%d; nothing of it is saved any more", *part)
        again = self._holdings.wrongly_lost()
        for partition in (*assigned, *again):
            self._durably(partial(self._holdings.claim, partition, self.policy, self.owner))
        return {*lost, *assigned, *again}

    def _consume(self, owned: Owned, chunk: Chunk) -> list[Anomaly]:
        """Feed a chunk to its shard, a slice at a time."""
        found: list[Anomaly] = []
        for records in directives.slices(self.store, owned, chunk, SLICE, self._durably):
            found += self._feed(owned, records)
        owned.next_offset = chunk.next_offset
        self.counts.find(found)
        return found

    def _feed(self, owned: Owned, records: Sequence[Record]) -> list[Anomaly]:
        """Decode, bring the profiles that are not in memory, then judge and learn each event."""
        part = self.source.part(owned.number)
        events, refused = self.decoder.decode(*part, records)
        if refused:
            self._reject(owned.number, refused)
        needed = {event.agent_id for event, _, _, _ in events}
        latest_s = max((event.time_s for event, _, _, _ in events), default=0.0)
        needed.update(owned.shard.silence.due.by(latest_s))
        if missing := owned.absent(needed):
            self._durably(lambda: owned.admit(self.store, missing))
        feed, followed = owned.feed, self.watchtower.followed
        now_s = max(time.time(), owned.watermark_s)  # no record is later, whatever a producer says
        kept_at_s = now_s if self.keeps_history else None
        found: list[Anomaly] = []
        for event, raw, offset, log_s in events:
            if anomalies := feed(event, raw, offset, log_s, kept_at_s):
                found.extend(anomalies)
            if followed and event.agent_id in followed:
                seen = (event, offset, log_s, now_s, owned.shard.role_of(event.agent_id))
                self.watchtower.see(self.source, owned.number, *seen)
        if events:
            owned.watermark_s = max(owned.watermark_s, min(events[-1][3], now_s))
            homes = self.source.partitions_of(events[-1][0].agent_id)
            self.pulse.see(events, part, [self.source.part(home) for home in homes])
        if self.roundup is not None and self.roundup.holds:
            self.roundup.see(owned.shard.profiles[event.agent_id] for event, *_ in events)
        self.counts.events += len(events)
        if owned.keeping.is_due:
            self._durably(partial(self._holdings.keep, owned, self._threads.ledger))
        return found

    def _reject(self, number: int, refused: Sequence[DeadLetter]) -> None:
        """Keep what was refused; one line says so, however many there are."""
        self.counts.reject(refused)
        self.pulse.see_refused(refused)
        first, where = refused[0], self.source.describe(number, refused[0].offset)
        log.warning("%d dead letters, the first at %s: %s", len(refused), where, first.reason)
        for letter in refused:
            try:
                self.dead_letters.put(letter)
            except DeadLetterError:
                self._durably(self.dead_letters.flush)  # too many wait: read no further until then

    def _record(self, found: dict[int, list[Anomaly]], read_at_s: float) -> None:
        while True:
            try:
                self._to_ledger(found, read_at_s)
            except ShardLostError:
                continue  # that shard is dropped now; the others' anomalies still count
            return

    def _to_ledger(self, found: dict[int, list[Anomaly]], read_at_s: float) -> None:
        mine = {p: anomalies for p, anomalies in found.items() if p in self.owned}
        involved = sorted(mine.keys() | self.watchtower.partitions() & self.owned.keys())
        now_s = time.time()
        with self.store.ledger(first=True) as ledger:
            self._holdings.check(ledger, involved)
            breaches = self.watchtower.report(ledger, self.source, self.response.receivers, now_s)
            every = [a for partition in involved for a in mine.get(partition, ())]
            intake.record(ledger, [*every, *breaches], self.response, now_s, read_at_s)
        self.watchtower.reported(time.monotonic())
        self.on_ledger()

    def _durably(self, act: Callable[[], ResultT]) -> ResultT | None:
        return durably(act, self.source, self.store, self.pulse, self._stop)
