"""A rhythm: in which hours of the week an agent acts, and how odd a pause is in view of that."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from math import log
from typing import Any, Final

import numpy as np

HOUR_S: Final = 3600
DAY_S: Final = 86_400
WEEK_S: Final = 7 * DAY_S
_MONDAY_S: Final = 4 * DAY_S
"""The first Monday, 00:00 UTC, in seconds since the epoch."""
SLOTS: Final = 168
MAX_DAYS: Final = 56
"""Of a longer absence only so many last days count."""

# Counts are whole numbers, so that they are small when stored and stale ones fade to nothing.
_ONCE: Final = 64
_KEPT: Final = (7, 8)
"""What is left of a count after a week: the past counts as about eight weeks."""
_NEAR_WEEKS: Final = 4
"""How many weeks of its own an hour of the week needs to outweigh the hours that are like it."""
_MOST: Final = 0.98
"""More certain than this that it acts in an hour nobody is; it bounds the score of a pause."""
_SETTLED: Final = 8 * _ONCE
"""As many weeks as the past counts at most."""
_LEAST: Final = 0.01
"""Nor that it does not act; so the score of acting does not grow with every quiet week."""
_SILENCE: Final = 24
"""Key of alarmed silences among what is held; the others are hours of the day."""

_EARLIER: Final = np.roll(np.arange(24), 1)
_LATER: Final = np.roll(np.arange(24), -1)

Span = tuple[float, float]
"""Start and end, in seconds since the epoch."""


class Rhythm:
    """Share of weeks in which an agent acts, for each hour of the week (UTC), weeks fading.

    An hour of the week leans on the hours like it (same and neighbouring hours of weekdays, or of
    weekends), and these on all hours. The hours of a day are learned when the next day begins, so
    that no hour is judged by itself.

    Attributes
    ----------
    start_s, end_s
        The open hour: the last one in which it acted, in seconds since the epoch; equal before.
    longest_s
        The longest pause that ended in the open hour, in seconds.
    pause
        How odd the oddest of these was, in nats.
    missed
        Whether its silence since it last acted was alarmed on.
    expected
        Whether a person says that this silence, as long as it may get, is as it should be.
    """

    __slots__ = (
        "_acted",
        "_active",
        "_curve",
        "_excused",
        "_held",
        "_hours_per_week",
        "_p",
        "_weeks",
        "end_s",
        "expected",
        "longest_s",
        "missed",
        "pause",
        "start_s",
    )

    def __init__(self) -> None:
        self.start_s = self.end_s = 0
        self.longest_s = self.pause = 0.0
        self.missed = self.expected = False
        self._active = array("H", bytes(2 * SLOTS))
        self._weeks = array("H", bytes(2 * SLOTS))
        self._acted = self._excused = 0  # hours of the open day, as bits
        self._held: dict[int, tuple[int, float]] = {}
        self._curve: array[float] | None = None
        self._p = array("d")
        self._hours_per_week = 1.0

    def p_active(self, time_s: float) -> float:
        """How likely the agent acts in the hour of this time."""
        self._learned()
        return self._p[_slot(time_s)]

    def surprise(self, time_s: float) -> float:
        """How odd it is, in nats, that the agent acts in the hour of this time."""
        return -log(max(_LEAST, self.p_active(time_s)))

    def usual(self, time_s: float) -> list[float]:
        """How likely it acts in each of the 24 hours that end with the hour of this time."""
        return [self.p_active(time_s - ago * HOUR_S) for ago in range(23, -1, -1)]

    @property
    def hours_per_week(self) -> float:
        """In how many hours of a week it acts."""
        self._learned()
        return self._hours_per_week

    def silence(self, start_s: float, end_s: float, excused: Sequence[Span] = ()) -> float:
        """How odd a pause is, in nats: the sum of -p ln(1 - p) over its hours, p = p_active.

        That is the surprise at quiet hours, weighted so that many in which the agent hardly ever
        acts do not add up to one in which it should. Parts of hours count as parts: a limit that
        an agent's pauses keep may be a matter of days or, for one that is never quiet, of minutes.

        Parameters
        ----------
        start_s, end_s
            The pause, in seconds since the epoch.
        excused
            Disjoint stretches that do not count.
        """
        odd = self._sum_to(end_s) - self._sum_to(start_s)
        for a, b in excused:
            a, b = max(a, start_s), min(b, end_s)
            if a < b:
                odd -= self._sum_to(b) - self._sum_to(a)
        return max(0.0, odd)

    def until(self, start_s: float, odd: float, excused: Sequence[Span] = ()) -> float:
        """When a pause that began at `start_s` will be so odd; undoes `silence`."""
        curve = self._learned()
        for a, b in excused:
            if b > start_s:
                odd += self.silence(max(a, start_s), b)
        week, rest = divmod(self._sum_to(start_s) + odd, curve[SLOTS])
        slot = min(bisect_right(curve, rest) - 1, SLOTS - 1)
        part = (rest - curve[slot]) / (curve[slot + 1] - curve[slot])
        end_s = _MONDAY_S + week * WEEK_S + (slot + part) * HOUR_S
        return max(start_s, end_s)

    def enter(
        self,
        time_s: float,
        pause: float = 0.0,
        *,
        excused: Sequence[Span] = (),
        alarmed: bool = False,
        promote_runs: int = 1,
        promote_after_s: float = 0.0,
    ) -> None:
        """Open the hour of this time; the hours since the open one were quiet, and count, too.

        Parameters
        ----------
        time_s
            Of the first action in the hour; not before the end of the open one.
        pause
            How odd the pause was that this action ends, in nats.
        excused
            Stretches whose quiet hours are no sign of the agent.
        alarmed
            It was odd to act now. The hour is not learned, nor are the quiet hours of an alarmed
            silence, until the like has happened `promote_runs` times and for `promote_after_s`.
        """
        if self.expected:
            self.rest(self.end_s, time_s)
        day, hour = divmod(int(time_s // HOUR_S), 24)
        if self.end_s == self.start_s:
            self._excused = (1 << hour) - 1  # before it was first seen
        else:
            if self.missed and not self._recurred(_SILENCE, time_s, promote_runs, promote_after_s):
                excused = [(self.end_s, time_s)]
            last = self.start_s // DAY_S
            if last < day:
                for over in (last, *range(max(last + 1, day - MAX_DAYS), day)):
                    self._excused |= _hours_of(over, excused)
                    self._learn_day(over)
            self._excused |= _hours_of(day, excused)
        if alarmed and not self._recurred(hour, time_s, promote_runs, promote_after_s):
            self._excused |= 1 << hour
        else:
            self._acted |= 1 << hour
        self.start_s = int(time_s // HOUR_S) * HOUR_S
        self.end_s = self.start_s + HOUR_S
        self.longest_s, self.pause, self.missed, self.expected = 0.0, pause, False, False

    def act(self, time_s: float) -> None:
        """A person says that the agent may act at this hour of any day, and need not."""
        hour = int(time_s // HOUR_S) % 24
        self._held.pop(hour, None)
        self._even(range(hour, SLOTS, 24))

    def rest(self, start_s: float, end_s: float) -> None:
        """A person says that the agent may rest then, and need not.

        So it may at these hours of any day; a rest of a day or more, at these hours of the week.
        """
        self._held.pop(_SILENCE, None)
        first, last = int(start_s // HOUR_S), int((end_s - 1) // HOUR_S)
        hours = range(first, min(last, first + SLOTS - 1) + 1)
        daily = 1 if len(hours) >= 24 else 7
        for hour in hours:
            self._even(_slot((hour + 24 * day) * HOUR_S) for day in range(daily))

    def _even(self, slots: Iterable[int]) -> None:
        """Take it for about as likely as not that it acts; what it does from then on counts."""
        for slot in slots:
            self._weeks[slot], self._active[slot] = _SETTLED, _SETTLED // 2
        self._curve = None

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same rhythm of it."""
        held = [[key, *value] for key, value in self._held.items()]
        open_hour = [
            self.start_s,
            self.end_s,
            self.longest_s,
            self.pause,
            self.missed,
            self.expected,
        ]
        return [open_hour, self._acted, self._excused, held, list(self._active), list(self._weeks)]

    @classmethod
    def load(cls, data: list[Any]) -> "Rhythm":
        """Undo `dump`."""
        rhythm = cls()
        open_hour, rhythm._acted, rhythm._excused, held, active, weeks = data
        rhythm.start_s, rhythm.end_s, rhythm.longest_s, rhythm.pause, *known = open_hour
        rhythm.missed, rhythm.expected = known
        rhythm._held = {key: (times, first_s) for key, times, first_s in held}
        rhythm._active, rhythm._weeks = array("H", active), array("H", weeks)
        if len(active) != SLOTS or len(weeks) != SLOTS:
            raise ValueError(f"a rhythm has {SLOTS} hours")
        return rhythm

    def _recurred(self, key: int, time_s: float, times: int, after_s: float) -> bool:
        """Whether something alarmed on has come often enough, for long enough, to be normal."""
        so_far, first_s = self._held.get(key, (0, time_s))
        self._held[key] = (so_far + 1, first_s)
        return so_far + 1 >= times and time_s - first_s >= after_s

    def _learn_day(self, day: int) -> None:
        acted, excused = self._acted, self._excused
        self._acted = self._excused = 0
        self._curve = None
        active, weeks, (kept, of) = self._active, self._weeks, _KEPT
        first = (day + 3) % 7 * 24  # the epoch was a Thursday
        for hour in range(24):
            if not excused >> hour & 1 or acted >> hour & 1:
                slot = first + hour
                active[slot] = active[slot] * kept // of + (_ONCE if acted >> hour & 1 else 0)
                weeks[slot] = weeks[slot] * kept // of + _ONCE

    def _sum_to(self, time_s: float) -> float:
        """How odd it were to be quiet up to a time; only differences of it mean anything."""
        curve = self._learned()
        week, rest_s = divmod(time_s - _MONDAY_S, WEEK_S)
        slot = int(rest_s // HOUR_S)
        part = rest_s / HOUR_S - slot
        return week * curve[SLOTS] + curve[slot] + part * (curve[slot + 1] - curve[slot])

    def _learned(self) -> "array[float]":
        """How odd it is to be quiet up to each hour of a week; worked out once a day."""
        if self._curve is None:
            active = np.frombuffer(self._active, np.uint16).reshape(7, 24) / _ONCE
            weeks = np.frombuffer(self._weeks, np.uint16).reshape(7, 24) / _ONCE
            overall = (active.sum() + 0.5) / (weeks.sum() + 1)
            p = np.empty((7, 24))
            for days in (slice(0, 5), slice(5, 7)):
                a, n = active[days].sum(axis=0), weeks[days].sum(axis=0)
                a = a + (a[_EARLIER] + a[_LATER]) / 2
                n = n + (n[_EARLIER] + n[_LATER]) / 2
                near = (a + overall) / (n + 1)
                p[days] = (active[days] + _NEAR_WEEKS * near) / (weeks[days] + _NEAR_WEEKS)
            self._p = array("d", p.tobytes())
            self._hours_per_week = max(1.0, sum(self._p))
            sure = np.minimum(p.ravel(), _MOST)
            curve = np.zeros(SLOTS + 1)
            np.cumsum(-sure * np.log1p(-sure), out=curve[1:])
            self._curve = array("d", curve.tobytes())
        return self._curve


def _slot(time_s: float) -> int:
    return int((time_s - _MONDAY_S) % WEEK_S // HOUR_S)


def _hours_of(day: int, spans: Sequence[Span]) -> int:
    """The hours of a day that the spans touch, as bits."""
    hours = 0
    for start_s, end_s in spans:
        first = max(0, int(start_s // HOUR_S) - day * 24)
        last = min(23, int(end_s // HOUR_S) - day * 24)
        if first <= last:
            hours |= (1 << last + 1) - (1 << first)
    return hours
