"""Activity: what an agent did on each of its last days, and how much in an hour that it acts."""

from math import expm1, log1p, sqrt
from typing import Any, Final, NamedTuple

DAY_S: Final = 86_400
HOUR_S: Final = 3600
WEEK_DAYS: Final = 7
KEPT_DAYS: Final = 28
ENOUGH_HOURS: Final = 12
"""Of fewer active hours in a week nothing is said about what is usual."""

_ANSCOMBE: Final = 0.375


class Hourly(NamedTuple):
    """What is usual in an hour in which the agent acts.

    Means on the scales on which a quantity's spread hardly depends on its size (square root for
    counts: Anscombe 1948, Biometrika 35; logarithm for bytes), so that one huge hour counts little.

    Attributes
    ----------
    hours
        From how many active hours.
    calls_root, bytes_log
        The means, on their scales.
    """

    hours: int
    calls_root: float
    bytes_log: float

    @property
    def calls(self) -> float:
        """Calls in a usual hour."""
        return max(0.0, self.calls_root**2 - _ANSCOMBE)

    @property
    def bytes_out(self) -> float:
        """Bytes sent in a usual hour."""
        return expm1(min(self.bytes_log, 700.0))


class _Day:
    """One day: its number since the epoch, and what was counted in it."""

    __slots__ = ("beyond", "bytes_log", "calls_root", "hours", "number", "runs")

    def __init__(self, number: int) -> None:
        self.number = number
        self.runs = self.beyond = self.hours = 0
        self.calls_root = self.bytes_log = 0.0

    def dump(self) -> list[Any]:
        return [
            self.number, self.runs, self.beyond, self.hours, self.calls_root, self.bytes_log,
        ]  # fmt: skip

    @classmethod
    def load(cls, data: list[Any]) -> "_Day":
        day = cls(data[0])
        _, day.runs, day.beyond, day.hours, day.calls_root, day.bytes_log = data
        return day


class Activity:
    """The last 28 days in which an agent acted, by day; and its open hour.

    Attributes
    ----------
    first_day
        Number of the first day since it counts.
    hour_end_s
        When the open hour is over; what was usual is looked at again then.
    calls, bytes_out
        Of the open hour.
    """

    __slots__ = ("_days", "bytes_out", "calls", "first_day", "hour_end_s")

    def __init__(self) -> None:
        self._days: list[_Day] = []
        self.first_day: int | None = None
        self.hour_end_s = 0.0
        self.calls = 0
        self.bytes_out = 0.0  # no whole number: sums beyond 64 bits could not be stored

    @property
    def today(self) -> int:
        """Number of the newest day; -1 before the first."""
        return self._days[-1].number if self._days else -1

    def next_hour(self, time_s: float) -> None:
        """Close the open hour and open the one that `time_s` lies in. Time must not go back."""
        if self._days and self.calls:
            day = self._days[-1]
            day.hours += 1
            day.calls_root += sqrt(self.calls + _ANSCOMBE)
            day.bytes_log += log1p(self.bytes_out)
        self.calls, self.bytes_out = 0, 0.0
        self.hour_end_s = time_s // HOUR_S * HOUR_S + HOUR_S
        number = int(time_s // DAY_S)
        if number > self.today or not self._days:
            self._days.append(_Day(number))
            if self.first_day is None:
                self.first_day = number
            oldest = number - KEPT_DAYS
            while self._days[0].number <= oldest:
                del self._days[0]

    def count_run(self) -> None:
        """A run began."""
        self._days[-1].runs += 1

    def count_beyond(self) -> None:
        """A run went beyond the approved profile, for the first time."""
        self._days[-1].beyond += 1

    def runs(self, weeks_ago: int = 0) -> tuple[int, int]:
        """How many runs a week had, and how many of them went beyond the approved profile.

        Weeks are counted back from the newest day, which is the last of week 0.
        """
        days = self._week(weeks_ago)
        return sum(day.runs for day in days), sum(day.beyond for day in days)

    def hourly(self) -> Hourly:
        """What was usual in the last week's active hours; all 0 where it had none."""
        days = self._week(0)
        hours = sum(day.hours for day in days)
        if not hours:
            return Hourly(0, 0.0, 0.0)
        return Hourly(
            hours,
            sum(day.calls_root for day in days) / hours,
            sum(day.bytes_log for day in days) / hours,
        )

    def _week(self, weeks_ago: int) -> list[_Day]:
        last = self.today - WEEK_DAYS * weeks_ago
        return [day for day in self._days if last - WEEK_DAYS < day.number <= last]

    def forget_beyond(self) -> None:
        """What lay beyond was approved: no run of the past did."""
        for day in self._days:
            day.beyond = 0

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same activity of it."""
        open_hour = [self.hour_end_s, self.calls, self.bytes_out]
        return [self.first_day, open_hour, [day.dump() for day in self._days]]

    @classmethod
    def load(cls, data: list[Any]) -> "Activity":
        """Undo `dump`."""
        activity = cls()
        activity.first_day, open_hour, days = data
        activity.hour_end_s, activity.calls, bytes_out = open_hour
        activity.bytes_out = float(bytes_out)  # it was a whole number once
        activity._days = [_Day.load(day) for day in days]
        return activity
