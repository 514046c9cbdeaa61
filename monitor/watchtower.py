"""Keeps the watches of one worker: which agents to follow, what they did, what to report."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final, Protocol

from sqlalchemy import Connection

from baselines.event import ActionEvent
from detectors.finding import Anomaly, Finding, Severity
from monitor.ledger import trips
from monitor.ledger.tries import count_tries
from monitor.sources import Part, Source, SourceError
from monitor.store import Store
from monitor.store.engine import STORE_ERRORS, reason
from monitor.watch import Watch

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.25
LOOK_AT_LEAST_S: Final = 1.0
"""Within the skew that is allowed, so that no effective action goes unseen before the look."""
_REST: Final = 10
"""Where thousands are cut off a look takes long: a tenth of the time is to go there."""
COUNT_EVERY_S: Final = 1.0
"""An agent that is cut off may try again thousands of times a second: what was refused is only
counted, and written now and then."""
_MINUTE_S: Final = 60


class Reading(Protocol):
    """How far a shard was read."""

    next_offset: int
    watermark_s: float


@dataclass(slots=True)
class Watchtower:
    """Follows every agent under a trip in those of its partitions that this worker reads.

    Parameters
    ----------
    allowed_skew_s
        How far clocks may differ.
    silent_after_s
        So much log time without an effective action is silence.

    Attributes
    ----------
    followed
        The trip that each agent is under.
    watches
        By agent and number of the partition: those that it may write to, and those it was seen in.
    """

    allowed_skew_s: float
    silent_after_s: float
    followed: dict[str, trips.Watched] = field(default_factory=dict)
    watches: dict[str, dict[int, Watch]] = field(default_factory=dict)
    _looked_at_s: float = -inf
    _look_every_s: float = LOOK_EVERY_S
    _reported_at_s: float = -inf

    def look(
        self, store: Store, source: Source, owned: Mapping[int, Reading], now_s: float
    ) -> None:
        """Bring the watches up to the ledger, now and then.

        Parameters
        ----------
        store, source, owned
            Where the trips are, and what is read.
        now_s
            Of the monotonic clock: while another is set back, nobody would be followed.
        """
        if now_s - self._looked_at_s >= self._look_every_s:
            self._looked_at_s, began_s = now_s, time.monotonic()
            try:
                with store.read() as ledger:
                    followed = trips.watched(ledger)
            except STORE_ERRORS as error:
                log.error("cannot read trips from %s: %s", store.url, reason(error))
                return
            self.followed = {trip.agent_id: trip for trip in followed}
            found: dict[str, dict[int, Watch]] = {}
            for trip in followed:
                homes = _homes(source, trip.agent_id)
                here = homes.keys() & owned.keys() | self.watches.get(trip.agent_id, {}).keys()
                if beyond := trip.seen.keys() - homes.values():
                    here |= {n for n in owned if _place(source, n, len(homes)) in beyond}
                if here:
                    found[trip.agent_id] = {n: self._follow(trip, n, homes, source) for n in here}
            self.watches = found
            rest_s = _REST * (time.monotonic() - began_s)
            self._look_every_s = min(max(LOOK_EVERY_S, rest_s), LOOK_AT_LEAST_S)

    def judge(self, owned: Mapping[int, Reading]) -> None:
        """See who is silent, once everything that was polled is taken in."""
        for watch in self._each():
            shard = owned.get(watch.partition)
            watch.now_silent = shard is not None and watch.is_silent(
                shard.next_offset, shard.watermark_s, self.silent_after_s, self.allowed_skew_s
            )

    def _each(self) -> Iterator[Watch]:
        for watches in self.watches.values():
            yield from watches.values()

    def _follow(
        self, trip: trips.Watched, partition: int, homes: Mapping[int, str], source: Source
    ) -> Watch:
        place = _place(source, partition, len(homes))
        so_far = trip.seen.get(place, trips.NOTHING_SEEN)
        watch = self.watches.get(trip.agent_id, {}).get(partition)
        if watch is None or watch.trip_id != trip.trip_id:
            watch = Watch(
                trip_id=trip.trip_id,
                agent_id=trip.agent_id,
                partition=partition,
                place=place,
                homes=frozenset(),
                ordered_at_s=trip.ordered_at,
                held_at_s=None,
                silent=so_far.quiet,
                watched_to=so_far.watched_to,
                last_effective_log_s=min(trip.last_effective_at or 0.0, time.time()),
            )
        watch.homes, watch.held_at_s = frozenset(homes.values()), trip.held_at
        if watch.held_at_s is not None and watch.end_offset is None:
            try:
                watch.end_offset = source.end_offset(watch.partition)
            except SourceError as error:
                log.warning("cannot tell yet how far to read for silence: %s", error)
        watch.silent = so_far.quiet
        return watch

    def forget(self, partition: int) -> None:
        """Leave the agents of a partition to whoever reads it now."""
        for watches in self.watches.values():
            watches.pop(partition, None)
        self.watches = {agent_id: of for agent_id, of in self.watches.items() if of}

    def see(
        self,
        source: Source,
        partition: int,
        event: ActionEvent,
        offset: int,
        log_s: float,
        now_s: float,
        role: str | None = None,
    ) -> None:
        """Take in an event of an agent that is followed.

        Parameters
        ----------
        source, partition, event, offset, log_s
            The event, its place, and its time in the log, which may be one that a producer gave.
        now_s
            When it was read: silence is counted from there if its log time is yet to come.
        role
            The agent's, where the event does not say it.
        """
        if role is not None and event.role is None:
            event = event.model_copy(update={"role": role})
        watches = self.watches.setdefault(event.agent_id, {})
        watch = watches.get(partition)
        if watch is None:  # not where its key belongs: it was keyed otherwise, or the topic grew
            homes = _homes(source, event.agent_id)
            watch = self._follow(self.followed[event.agent_id], partition, homes, source)
            watches[partition] = watch
        watch.see(event, offset, log_s, self.allowed_skew_s)
        watch.last_effective_log_s = min(watch.last_effective_log_s, now_s)

    def has_news(self, now_s: float = inf) -> bool:
        """Whether there is anything for the ledger that should be there by now.

        Parameters
        ----------
        now_s
            Of the monotonic clock. If given, what is only counted waits until the last counts are
            `COUNT_EVERY_S` old.
        """
        counts_wait = now_s < self._reported_at_s + COUNT_EVERY_S
        return any(w.is_urgent if counts_wait else w.has_news for w in self._each())

    def partitions(self) -> set[int]:
        """Of the watches that have news; their claims must be checked."""
        return {watch.partition for watch in self._each() if watch.has_news}

    def report(
        self, ledger: Connection, source: Source, receivers: Sequence[str], now_s: float
    ) -> list[Anomaly]:
        """Write what was seen into the ledger; returns the anomalies that it amounts to."""
        counted = [watch for watch in self._each() if watch.restless and not watch.effective]
        count_tries(ledger, [watch.tries() for watch in counted])
        breaches = []
        for watch in self._each():
            if watch.effective:
                is_counted = trips.record_watch(
                    ledger,
                    watch.trip_id,
                    place=watch.place,
                    effective=[event.time_s for event, _ in watch.effective],
                    early=watch.early,
                    refused=watch.refused,
                    watched_to=watch.watched_to,
                    receivers=receivers,
                    now_s=now_s,
                )
                if is_counted:  # not after a restore that was not seen yet
                    part = source.part(watch.partition)
                    breaches += [_breach(watch, part, *seen) for seen in watch.effective]
            if watch.now_silent and not watch.silent:
                trips.mark_silent(
                    ledger, watch.trip_id, place=watch.place, places=watch.homes,
                    receivers=receivers, now_s=now_s,
                )  # fmt: skip
        return breaches

    def reported(self, now_s: float) -> None:
        """What was reported is stored; count from there, and see soon what was ordered with it.

        Parameters
        ----------
        now_s
            Of the monotonic clock.
        """
        if self._look_every_s == LOOK_EVERY_S:
            self._looked_at_s = -inf
        self._reported_at_s = now_s
        for watch in self._each():
            watch.silent = watch.now_silent or (watch.silent and not watch.effective)
            watch.effective.clear()
            watch.early.clear()
            watch.refused = 0
            watch.restless = False


def _homes(source: Source, agent_id: str) -> dict[int, str]:
    """The partitions that an agent may write to: their numbers, and how the ledger calls them."""
    numbers = source.partitions_of(agent_id)
    return {number: _place(source, number, len(numbers)) for number in numbers}


def _place(source: Source, number: int, topics: int) -> str:
    """How the ledger calls a partition.

    Of a single topic it is the number alone, so that what is proven there stays so under another
    name of the topic; and the first has no name, as the only one of a log.
    """
    topic, partition = source.part(number)
    if topics == 1:
        return str(partition) if partition else trips.FIRST_PLACE
    return f"{topic}/{partition}"


def _breach(watch: Watch, part: Part, event: ActionEvent, offset: int) -> Anomaly:
    """An action that succeeded although its agent is cut off; one alarm a minute."""
    held_at_s = watch.held_at_s or watch.ordered_at_s
    finding = Finding(
        detector="containment",
        subject=watch.trip_id,
        episode=f"minute:{int(event.time_s // _MINUTE_S) * _MINUTE_S}",
        observed=1.0,
        expected=0.0,
        unit="actions that succeed after the agent was cut off",
        threshold=0.0,
        p_value=None,
        calibration="declared",
        severity=Severity.CRITICAL,
        text=(
            f"an action still succeeds {event.time_s - held_at_s:.1f} s after trip "
            f"{watch.trip_id} cut the agent off: an enforcement point does not hold"
        ),
    )
    return Anomaly.of(finding, event, event.effect or "unknown", (*part, offset))
