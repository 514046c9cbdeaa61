"""Probes: what is wrong at this moment, one function or class a kind of trouble."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, func, select

from alerting.health import Trouble
from alerting.killswitch import OPEN
from alerting.render import clean
from monitor.config_health import HealthConfig
from monitor.current import Current
from monitor.health_source import Ends, Pauses
from monitor.ledger import deliveries
from monitor.owned import Owned
from monitor.serve_child import ServeChild
from monitor.sources import SourceError
from monitor.sources.log_file import GENERATION_BYTES
from monitor.store.schema import points
from monitor.worker import Worker

_HOUR_S: Final = 3600.0
_REFUSED_FOR_S: Final = 600.0
_ENDED_FOR_S: Final = 60.0
_NAMED: Final = 3

_LANES: Final = ("kill-lane", "dispatch-", "slack-desk")
"""How the names of threads begin that live as long as the daemon."""

Probe = Callable[[float], Iterator[Trouble]]
"""Is given the time in seconds since the epoch. Asks no store: that may not answer."""


@dataclass(slots=True)
class SourceProbe:
    """Lag, stalls and unusual rest of what this process reads."""

    worker: Worker
    ends: Ends | None
    current: Current
    pauses: Pauses = field(default_factory=Pauses)
    behind: int = 0
    """What is left to be read, in records or bytes, as of the last look …"""
    behind_s: float = 0.0
    """… and how old what is read now is, while anything is left."""
    _moved: dict[int, tuple[int, float]] = field(default_factory=dict)
    _no_more: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By partition: where it was read to, and an end up to which no record follows."""
    _silent_since_s: float | None = None
    _events: int = 0

    def __call__(self, now_s: float) -> Iterator[Trouble]:
        """See `Probe`."""
        name, settings = self.worker.source.name, self.current.config.health
        read = self.worker.counts.events + self.worker.counts.rejected
        pause_s = self.pauses.see(read > self._events, now_s)
        self._events = read
        limit_s = settings.quiet_after_s or self.pauses.usual_s()
        if limit_s is not None and pause_s > limit_s:
            yield Trouble("quiet", name, f"no record came for {pause_s / 60:.0f} minutes")
        if self.ends is None:
            return
        owned = dict(list(self.worker.owned.items()))  # the worker's thread changes it
        try:
            ends = self.ends.ask(owned.keys())
        except SourceError as error:
            self._silent_since_s = self._silent_since_s or now_s
            if now_s - self._silent_since_s >= settings.stalled_s:
                yield Trouble("stalled", name, f"the source gives no answer: {error}")
            return
        self._silent_since_s = None
        yield from self._stalled(name, owned, ends, now_s)
        yield from self._lag(name, owned, ends, now_s)

    def _stalled(
        self, name: str, owned: dict[int, Owned], ends: Mapping[int, int], now_s: float
    ) -> Iterator[Trouble]:
        self._moved = {number: self._moved[number] for number in owned if number in self._moved}
        stuck = []
        for number, one in owned.items():
            at, since_s = self._moved.get(number, (one.next_offset, now_s))
            if at != one.next_offset or one.next_offset >= ends.get(number, 0):
                at, since_s = one.next_offset, now_s
            elif now_s - since_s >= self.current.config.health.stalled_s:
                if self._has_more(number, at, ends[number]):
                    stuck.append(number)
                else:
                    since_s = now_s
            self._moved[number] = at, since_s
        if stuck:
            named = ", ".join(_named(owned[number]) for number in stuck[:20])
            yield Trouble(
                "stalled", name, f"nothing is read of partition {named} though it has more"
            )

    def _lag(
        self, name: str, owned: dict[int, Owned], ends: Mapping[int, int], now_s: float
    ) -> Iterator[Trouble]:
        assert self.ends is not None
        limit_s, behind, oldest_s = self.current.config.health.lag_s, 0, now_s
        for number, one in owned.items():
            at, end = one.next_offset, ends.get(number, 0)
            if end <= at or not one.watermark_s or self._no_more.get(number) == (at, end):
                continue
            # Of a topic at rest the end may be a transaction's marker: one look settles that.
            is_first = now_s - oldest_s <= limit_s < now_s - one.watermark_s
            if is_first and not self._has_more(number, at, end):
                continue
            behind += end - at
            oldest_s = min(oldest_s, one.watermark_s)
        self.behind, self.behind_s = behind, now_s - oldest_s
        if self.behind_s > limit_s:
            many = f"{behind:,} {self.ends.unit}" if behind < GENERATION_BYTES else "rotated logs"
            text = f"{many} behind; what is read now is {self.behind_s / 60:.0f} minutes old"
            yield Trouble("lag", name, text)

    def _has_more(self, number: int, at: int, end: int) -> bool:
        """Whether a record is there; that there is none is asked once for each end."""
        assert self.ends is not None
        if self._no_more.get(number) == (at, end):
            return False
        if self.ends.has_more(number, at):
            return True
        self._no_more[number] = at, end
        return False


class LastHour:
    """How much a count rose within the last hour, in steps of a minute."""

    def __init__(self) -> None:
        self._steps: deque[tuple[float, int]] = deque()

    def count(self, total: int, now_s: float) -> int:
        """Take in the count as it stands; by how much it rose."""
        steps = self._steps
        if not steps:
            steps.append((now_s, 0))  # what was counted before the first look is new, too
        elif now_s - steps[-1][0] >= 60.0:
            steps.append((now_s, total))
        while now_s - steps[0][0] > _HOUR_S:
            steps.popleft()
            if not steps:
                steps.append((now_s, total))
        return total - steps[0][1]


@dataclass(slots=True)
class WorkerProbe:
    """A loop that hangs, detectors that fail, checkpoints, dead letters and clocks."""

    worker: Worker
    current: Current
    _malformed: LastHour = field(default_factory=LastHour)
    _impostors: LastHour = field(default_factory=LastHour)
    _gone: LastHour = field(default_factory=LastHour)
    _unsaved_since: dict[int, tuple[int, float]] = field(default_factory=dict)
    _faults: Counter[tuple[int, str]] = field(default_factory=Counter)

    def __call__(self, now_s: float) -> Iterator[Trouble]:
        """See `Probe`."""
        name, pulse = self.worker.source.name, self.worker.pulse
        settings = self.current.config.health
        hangs_s = pulse.rested_s()
        if hangs_s > settings.worker_s:
            yield Trouble("worker", name, f"the loop has not turned for {hangs_s:.0f} s")
        if (
            pulse.failing is not None
        ):  # who can read it need not be able to write, as on a full disk
            yield Trouble("store", self.worker.store.url, pulse.failing)
        yield from self._broken()
        yield from self._dead_letters(name, now_s)
        gone = self.worker.source.gone
        if lately := self._gone.count(gone.records, now_s):
            text = f"{lately:,} records of the last hour were deleted before they were read"
            yield Trouble("unread", name, f"{text}, the last: {gone.last}")
        yield from self._unsaved(name, now_s)
        refused_s = time.monotonic() - (pulse.refused_at_s or -_REFUSED_FOR_S)
        if refused_s < _REFUSED_FOR_S:
            text = f"{pulse.refused} was claimed by another process while it was read here"
            yield Trouble("checkpoint", f"{name} (refused)", text)
        skewed, of = pulse.skew.worst(settings.clock_skew_s)
        if skewed:
            named = ", ".join(
                f"{clean(agent_id, 60)} {abs(skew_s):,.0f} s {'ahead' if skew_s > 0 else 'behind'}"
                for agent_id, skew_s in skewed[:_NAMED]
            )
            text = f"clocks of {len(skewed):,} of {of:,} agents differ from the broker's: {named}"
            yield Trouble("clock_skew", name, text)
        yield from self._placed(name)

    def _broken(self) -> Iterator[Trouble]:
        """Detectors that failed since the last look."""
        told: dict[str, str] = {}
        for number, one in list(self.worker.owned.items()):
            for name, fault in list(one.shard.faults.items()):
                if fault.count > self._faults[number, name]:
                    where = f"{_named(one)}, offset {fault.offset}"
                    told[name] = f"{fault.what}, last at {where}; {fault.count:,} events there"
                self._faults[number, name] = fault.count
        for name, text in told.items():
            yield Trouble("detector", name, f"events could not be judged for {name}: {text}")

    def _placed(self, name: str) -> Iterator[Trouble]:
        elsewhere, of_all = self.worker.pulse.placement.wrong()
        if elsewhere:
            text = f"{elsewhere:,} of {of_all:,} events that were looked at are elsewhere"
            example = clean(self.worker.pulse.placement.example, 200)
            yield Trouble("placement", name, f"{text}, such as: {example}")

    def _dead_letters(self, name: str, now_s: float) -> Iterator[Trouble]:
        counts, letter = self.worker.counts, self.worker.pulse.impostor
        lately = self._malformed.count(counts.rejected - counts.impostors, now_s)
        if lately >= self.current.config.health.dead_letters_per_hour:
            text = f"{lately:,} records of the last hour are no events and went to the dead letter"
            yield Trouble("dead_letters", name, text)
        lately = self._impostors.count(counts.impostors, now_s)
        if lately and letter is not None:
            where = f"{letter.source}/{letter.partition}, offset {letter.offset}"
            text = f"{lately:,} events of the last hour are not from who may speak for their agents"
            last = f"the last at {where}: {clean(letter.reason, 200)}"
            yield Trouble("impostor", name, f"{text} and were not judged; {last}")

    def _unsaved(self, name: str, now_s: float) -> Iterator[Trouble]:
        owned = dict(list(self.worker.owned.items()))
        least_s, late = self.current.config.health.checkpoint_s, []
        limit_s = max(least_s, 6 * self.worker.timing.checkpoint_s)
        for number, one in owned.items():
            saved, since_s = self._unsaved_since.get(number, (one.saved_offset, now_s))
            if saved != one.saved_offset or one.next_offset <= one.saved_offset:
                since_s = now_s
            self._unsaved_since[number] = one.saved_offset, since_s
            if now_s - since_s > limit_s:
                late.append(number)
        self._unsaved_since = {n: of for n, of in self._unsaved_since.items() if n in owned}
        if late:
            named = ", ".join(_named(owned[number]) for number in late[:20])
            yield Trouble("checkpoint", name, f"what was read of partition {named} is not saved")


def _named(owned: Owned) -> str:
    """A partition as people know it."""
    return f"{owned.shard.source}/{owned.shard.partition}"


def ledger_troubles(ledger: Connection, settings: HealthConfig, now_s: float) -> Iterator[Trouble]:
    """What the ledger says of receivers and enforcement points; every process sees it alike."""
    since_s = now_s - settings.undelivered_hours * _HOUR_S
    found = deliveries.stuck(ledger, attempts=settings.attempts, dead_since_s=since_s)
    for name, one in found.items():
        if one.failing:
            waits_s = now_s - one.failing_since
            text = f"{one.failing:,} messages wait for {name}, the first for {waits_s:.0f} s"
            yield Trouble("receiver", name, f"{text}: {one.error}")
        if one.dead:
            text = f"{one.dead:,} messages were given up by {name}"
            yield Trouble("undelivered", name, f"{text}: {one.dead_error}")
    failing = (
        select(points.c.point, func.count().label("count"), func.max(points.c.last_error))
        .where(
            points.c.state.in_(OPEN),
            points.c.attempts >= settings.attempts,
            points.c.last_error.is_not(None),
        )
        .group_by(points.c.point)
    )
    for point, count, error in ledger.execute(failing):
        yield Trouble("point", point, f"{count:,} orders wait for {point}: {error}")


def lanes_probe() -> Probe:
    """Whether one of the threads that act on the ledger, and live at this moment, has ended."""
    lanes = [thread for thread in threading.enumerate() if thread.name.startswith(_LANES)]

    def probe(now_s: float) -> Iterator[Trouble]:
        del now_s
        for lane in lanes:
            if not lane.is_alive():
                yield Trouble("thread", lane.name, f"the thread {lane.name} has ended")

    return probe


def serve_probe(child: ServeChild) -> Probe:
    """Whether the HTTP API that the daemon keeps has just died."""

    def probe(now_s: float) -> Iterator[Trouble]:
        del now_s
        at_s = child.ended_at_s
        if at_s is not None and time.monotonic() - at_s < _ENDED_FOR_S:
            text = f"it ended with {child.ended}, and is started again"
            yield Trouble("serve", "serve", text)

    return probe
