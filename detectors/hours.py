"""Declared hours: at which times of the week an agent may act, by the clock of a time zone."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final, NamedTuple

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY_MINUTES: Final = 24 * 60
_EXAMPLE: Final = "such as 'Mon-Fri 08:00-18:00', 'Sat,Sun' or '22:00-06:00'"
_FORM: Final = re.compile(
    r"(?P<days>[A-Za-z]{3}(?:[-,][A-Za-z]{3})*)?"
    r"\s*(?:(?P<start>\d\d:\d\d)\s*-\s*(?P<end>\d\d:\d\d))?"
)


class Interval(NamedTuple):
    """So many minutes of the day, on some days of the week (Monday is 0).

    One that ends before it starts goes on past midnight, into the day after each of its days.
    """

    days: frozenset[int]
    start_min: int
    end_min: int

    def holds(self, weekday: int, minute: int) -> bool:
        """Whether a moment by the wall clock lies within."""
        if self.start_min < self.end_min:
            return weekday in self.days and self.start_min <= minute < self.end_min
        return (weekday in self.days and minute >= self.start_min) or (
            (weekday - 1) % 7 in self.days and minute < self.end_min
        )


@dataclass(frozen=True, slots=True)
class Hours:
    """Times of the week by the wall clock of a zone, so that they follow its summer time.

    Parameters
    ----------
    intervals
        In any of them an agent may act.
    zone
        Whose clock.
    said
        As a person wrote it, with the zone's name.
    """

    intervals: tuple[Interval, ...]
    zone: tzinfo
    said: str

    @classmethod
    def parse(cls, texts: Sequence[str], zone: tzinfo) -> "Hours":
        """Read hours as a person writes them.

        Parameters
        ----------
        texts
            `days start-end` each; without days every day, without a time the whole day.
        zone
            Whose clock.

        Raises
        ------
        ValueError
            Saying which text was not understood, and what one looks like.

        Examples
        --------
        >>> from datetime import timezone
        >>> hours = Hours.parse(["Mon-Fri 08:00-18:00", "Sat"], timezone.utc)
        >>> hours.hold(0.0)  # 1970-01-01 was a Thursday
        False
        """
        return cls(tuple(map(_interval, texts)), zone, f"{', '.join(texts)} {zone}")

    def hold(self, time_s: float) -> bool:
        """Whether the agent may act at this time, in seconds since the epoch."""
        local = self.local(time_s)
        weekday, minute = local.weekday(), local.hour * 60 + local.minute
        return any(interval.holds(weekday, minute) for interval in self.intervals)

    def local(self, time_s: float) -> datetime:
        """A time by the zone's clock."""
        return datetime.fromtimestamp(time_s, self.zone)


def _interval(text: str) -> Interval:
    form = _FORM.fullmatch(text.strip())
    if form is None or not (form["days"] or form["start"]):
        raise ValueError(f"{text!r:.60} is no interval {_EXAMPLE}")
    days = frozenset(range(7)) if form["days"] is None else _days(form["days"], text)
    if form["start"] is None:
        return Interval(days, 0, _DAY_MINUTES)
    start_min, end_min = _minute(form["start"], text), _minute(form["end"], text)
    if start_min in (end_min, _DAY_MINUTES):
        raise ValueError(f"{text!r:.60} has no length; without a time it is the whole day")
    return Interval(days, start_min, end_min)


def _days(text: str, whole: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.split(","):
        try:
            ends = [DAYS.index(day.capitalize()) for day in part.split("-")]
        except ValueError:
            ends = []
        if len(ends) not in (1, 2):
            raise ValueError(f"{part!r} in {whole!r:.60} is no day: {', '.join(DAYS)}, or Mon-Fri")
        first, last = ends[0], ends[-1]
        days.update((first + step) % 7 for step in range((last - first) % 7 + 1))
    return frozenset(days)


def _minute(text: str, whole: str) -> int:
    hour, minute = map(int, text.split(":"))
    if minute > 59 or hour * 60 + minute > _DAY_MINUTES:
        raise ValueError(f"{text} in {whole!r:.60} is no time of the day, 00:00 to 24:00")
    return hour * 60 + minute
