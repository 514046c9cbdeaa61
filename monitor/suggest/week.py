"""From the hours at which agents acted to declared hours."""

from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Final

from detectors.hours import Hours
from monitor.suggest.usage import SATURDAY

_GROUPS: Final = {False: "Mon-Fri", True: "Sat-Sun"}
_FREE_HOURS: Final = 4
"""A day with no longer pause than this has no hours."""


def hours_of(kept: set[tuple[bool, int]]) -> list[str]:
    """Intervals around the hours of working days and of weekends; empty if all week is taken.

    Parameters
    ----------
    kept
        Part of the week (whether it is the weekend), and hour of the day.
    """
    texts = []
    for weekend, days in _GROUPS.items():
        hours = sorted(hour for part, hour in kept if part is weekend)
        if hours:
            texts += [f"{days}{time}" for time in _span(hours)]
    return [] if texts == list(_GROUPS.values()) else texts


def _span(hours: list[int]) -> list[str]:
    """The shortest stretch of the day that holds the hours; two pieces if it passes midnight."""
    pauses = [
        ((after - before - 1) % 24, after)
        for before, after in zip(hours, [*hours[1:], hours[0]], strict=True)
    ]
    pause, start = max(pauses)
    if pause < _FREE_HOURS:
        return [""]
    end = (start - pause) % 24 or 24
    if start < end:
        return [f" {start:02}:00-{end:02}:00"]
    return [f" {start:02}:00-24:00", f" 00:00-{end:02}:00"]


def cell(key: tuple[bool, int]) -> str:
    """An hour of a part of the week, in words."""
    weekend, hour = key
    return f"{_GROUPS[weekend]} {hour:02}:00"


def beyond(hours: Iterable[tuple[bool, int]], texts: Sequence[str]) -> list[tuple[bool, int]]:
    """Those of the hours that no interval holds."""
    intervals = Hours.parse(texts, UTC).intervals
    return sorted(
        (weekend, hour)
        for weekend, hour in hours
        if not any(each.holds(SATURDAY if weekend else 0, hour * 60) for each in intervals)
    )
