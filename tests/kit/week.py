"""Moments of a week, and agents that act by the clock, for what is learned over weeks."""

from collections.abc import Iterable, Iterator
from typing import Final

from baselines.rhythm import DAY_S, HOUR_S, WEEK_S
from detectors.finding import Anomaly
from detectors.shard import Shard
from tests.kit.events import event, raw_event

MONDAY_S: Final = 1_770_595_200.0
"""2026-02-09T00:00:00Z."""


def at(day: int, hour: float, week: int = 0) -> float:
    """A moment, by weekday (Monday is 0), hour and week, in seconds since the epoch."""
    return MONDAY_S + week * WEEK_S + day * DAY_S + hour * HOUR_S


def office(weeks: int) -> Iterator[float]:
    """The start of every office hour."""
    for week in range(weeks):
        for day in range(5):
            yield from (at(day, hour, week) for hour in range(9, 17))


def play(shard: Shard, times: Iterable[float], agent: str = "clerk") -> list[Anomaly]:
    """Feed events at these times; the anomalies of rhythm and silence among what was found.

    The event's number and offset is its time in tenths of a second.
    """
    found: list[Anomaly] = []
    for time_s in times:
        number = int(time_s * 10)
        fields = {"agent_id": agent, "trace_id": None}
        raw = raw_event(number, time_s, **fields)
        found += shard.feed(event(number, time_s, **fields), raw, number)
    return [anomaly for anomaly in found if anomaly.detector in ("rhythm", "silence")]
