"""Keeps the watches of one worker: which agents to follow, what they did, what to report."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from baselines.event import ActionEvent
from detectors.finding import Anomaly, Finding, Severity
from monitor.ledger import trips
from monitor.sources import Source, SourceError
from monitor.store import Store
from monitor.store.engine import reason
from monitor.watch import Watch

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.25
_MINUTE_S: Final = 60


class Standing(Protocol):
    """How far a shard was read."""

    next_offset: int
    watermark_s: float


@dataclass(slots=True)
class Watchtower:
    """Follows every agent under a trip whose partition this worker reads.

    Parameters
    ----------
    allowed_skew_s
        How far clocks may differ.
    silent_after_s
        So much log time without an effective action is silence.

    Attributes
    ----------
    watches
        By agent.
    """

    allowed_skew_s: float
    silent_after_s: float
    watches: dict[str, Watch] = field(default_factory=dict)
    _looked_at_s: float = 0.0

    def look(
        self, store: Store, source: Source, owned: Mapping[int, Standing], now_s: float
    ) -> None:
        """Bring the watches up to the ledger, now and then."""
        if now_s - self._looked_at_s >= LOOK_EVERY_S:
            self._looked_at_s = now_s
            try:
                with store.read() as ledger:
                    followed = trips.watched(ledger)
            except DBAPIError as error:
                log.error("cannot read trips from %s: %s", store.url, reason(error))
                return
            self.watches = {
                trip.agent_id: self._follow(trip, source)
                for trip in followed
                if source.partition_of(trip.agent_id) in owned
            }

    def judge(self, owned: Mapping[int, Standing]) -> None:
        """See who is silent, once everything that was polled is taken in."""
        for watch in self.watches.values():
            shard = owned.get(watch.partition)
            watch.now_silent = shard is not None and watch.is_silent(
                shard.next_offset, shard.watermark_s, self.silent_after_s, self.allowed_skew_s
            )

    def _follow(self, trip: trips.Watched, source: Source) -> Watch:
        watch = self.watches.get(trip.agent_id)
        if watch is None or watch.trip_id != trip.trip_id:
            watch = Watch(
                trip_id=trip.trip_id,
                agent_id=trip.agent_id,
                partition=source.partition_of(trip.agent_id),
                ordered_at_s=trip.ordered_at,
                held_at_s=None,
                silent=trip.silent,
                watched_to=trip.watched_to,
                last_effective_log_s=trip.last_effective_at or 0.0,
            )
        watch.held_at_s = trip.held_at
        if watch.held_at_s is not None and watch.end_offset is None:
            try:
                watch.end_offset = source.end_offset(watch.partition)
            except SourceError as error:
                log.warning("cannot tell yet how far to read for silence: %s", error)
        watch.silent = trip.silent
        return watch

    def forget(self, partition: int) -> None:
        """Leave the agents of a partition to whoever reads it now."""
        self.watches = {a: w for a, w in self.watches.items() if w.partition != partition}

    def see(self, partition: int, event: ActionEvent, offset: int, log_s: float) -> None:
        """Take in an event of a watched agent."""
        watch = self.watches[event.agent_id]
        if watch.partition != partition:
            return  # not where the agent's key belongs; its own partition is what proves silence
        watch.see(event, offset, log_s, self.allowed_skew_s)

    def has_news(self) -> bool:
        """Whether there is anything for the ledger."""
        return any(w.has_news for w in self.watches.values())

    def partitions(self) -> set[int]:
        """Of the watches that have news; their claims must be checked."""
        return {w.partition for w in self.watches.values() if w.has_news}

    def report(
        self, ledger: Connection, receivers: Sequence[str], source: str, now_s: float
    ) -> list[Anomaly]:
        """Write what was seen into the ledger; returns the anomalies that it amounts to."""
        breaches = []
        for watch in self.watches.values():
            if watch.restless:
                trips.record_watch(
                    ledger,
                    watch.trip_id,
                    effective=[event.time_s for event, _ in watch.effective],
                    early=watch.early,
                    refused=watch.refused,
                    watched_to=watch.watched_to,
                    receivers=receivers,
                    now_s=now_s,
                )
                breaches += [_breach(watch, source, *seen) for seen in watch.effective]
            if watch.now_silent and not watch.silent:
                trips.mark_silent(ledger, watch.trip_id, receivers=receivers, now_s=now_s)
        return breaches

    def reported(self) -> None:
        """What was reported is stored; count from there, and see soon what was ordered with it."""
        self._looked_at_s = 0.0
        for watch in self.watches.values():
            watch.silent = watch.now_silent or (watch.silent and not watch.effective)
            watch.effective.clear()
            watch.early.clear()
            watch.refused = 0
            watch.restless = False


def _breach(watch: Watch, source: str, event: ActionEvent, offset: int) -> Anomaly:
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
    place = (source, watch.partition, offset)
    return Anomaly.of(finding, event, event.effect or "unknown", place)
