"""The pulse of a shard: its watermark, and when it was silent as a whole."""

from typing import Any, Final

from baselines.rhythm import Rhythm, Span
from baselines.tail import Tail

TICK_S: Final = 60
OUTAGES_PER_WEEK: Final = 1.0
"""So many pauses a week may be taken for an outage that are none."""
MIN_OUTAGE_S: Final = 300.0
"""A pause below this gets nobody missed, so it need not be excused."""
MAX_OUTAGES: Final = 16
PROMOTE_RUNS: Final = 2
PROMOTE_AFTER_S: Final = 86_400.0
"""An outage that has come so often, for so long, is how the shard works."""
_MAX_ALPHA: Final = 0.1


class Pulse:
    """The greatest event time seen in a shard, to the minute, and the shard's own rhythm.

    A shard is watched as an agent is: a pause that is odd for all of its agents together is an
    outage of what feeds it, and no one agent's silence.

    Attributes
    ----------
    watermark_s
        Time of the first event in the latest minute, in seconds since the epoch.
    next_s
        From which event time on the watermark moves; an ordinary event is before it.
    outages
        The latest, oldest first.
    """

    __slots__ = ("_rhythm", "_tail", "next_s", "outages", "watermark_s")

    def __init__(self) -> None:
        self.watermark_s = self.next_s = 0.0
        self.outages: tuple[Span, ...] = ()
        self._rhythm = Rhythm()
        self._tail = Tail()

    def tick(self, time_s: float) -> None:
        """Move the watermark to an event's time, which is not before `next_s`."""
        rhythm, tail, before_s = self._rhythm, self._tail, self.watermark_s
        if self.next_s:
            pause = rhythm.silence(before_s, time_s)
            alpha = min(_MAX_ALPHA, OUTAGES_PER_WEEK / rhythm.hours_per_week)
            is_outage = time_s - before_s >= MIN_OUTAGE_S and tail.reaches(pause, alpha)
            if is_outage:
                self.outages = (*self.outages[1 - MAX_OUTAGES :], (before_s, time_s))
            if time_s >= rhythm.end_s:
                tail.take(rhythm.pause, alpha, time_s)
                rhythm.missed = is_outage
                rhythm.enter(
                    time_s, pause, promote_runs=PROMOTE_RUNS, promote_after_s=PROMOTE_AFTER_S
                )
            else:
                rhythm.pause = max(rhythm.pause, pause)
        else:
            rhythm.enter(time_s)
        self.watermark_s = time_s
        self.next_s = time_s // TICK_S * TICK_S + TICK_S

    def outages_since(self, time_s: float) -> tuple[Span, ...]:
        """The outages that ended after a time."""
        outages = self.outages
        if not outages or outages[-1][1] <= time_s:
            return ()
        return tuple(span for span in outages if span[1] > time_s)

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same pulse of it."""
        outages = [list(span) for span in self.outages]
        marks = [self.watermark_s, self.next_s]
        return [marks, outages, self._rhythm.dump(), self._tail.dump()]

    @classmethod
    def load(cls, data: list[Any]) -> "Pulse":
        """Undo `dump`."""
        pulse = cls()
        marks, outages, rhythm, tail = data
        pulse.watermark_s, pulse.next_s = marks
        pulse.outages = tuple((start_s, end_s) for start_s, end_s in outages)
        pulse._rhythm, pulse._tail = Rhythm.load(rhythm), Tail.load(tail)
        return pulse
