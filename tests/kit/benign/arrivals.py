"""Arrivals: when an agent starts its runs.

How busy an agent is in a slot, as a multiple of its usual rate: asked once for each slot, in order;
the mean over eight weeks is about 1, but for growth.
"""

from collections.abc import Callable
from math import cos, pi
from random import Random
from typing import Final, NamedTuple

SLOT_S: Final = 600.0
"""Within a slot runs arrive as a Poisson process."""
HOUR_S: Final = 3600.0
DAY_S: Final = 86_400.0
WEEK_S: Final = 7 * DAY_S


class Slot(NamedTuple):
    """Ten minutes of an agent's life, from `time_s` on, `age_s` after its first."""

    time_s: float
    age_s: float
    rng: Random


Arrivals = Callable[[Slot], float]


def poisson(_: Slot) -> float:
    """Always the same."""
    return 1.0


class NegativeBinomial:
    """A gamma-distributed rate for each hour: counts per hour are negative binomial."""

    def __init__(self, size: float = 0.7) -> None:
        self.size = size
        self._hour = -1.0
        self._rate = 1.0

    def __call__(self, slot: Slot) -> float:
        """As the hour's is."""
        if slot.time_s // HOUR_S != self._hour:
            self._hour = slot.time_s // HOUR_S
            self._rate = slot.rng.gammavariate(self.size, 1 / self.size)
        return self._rate


def daily(slot: Slot) -> float:
    """High at 14:00 UTC, nearly nothing at 02:00."""
    return 1.0 - 0.97 * cos(2 * pi * (slot.time_s / DAY_S - 2 / 24))


def weekly(slot: Slot) -> float:
    """Office hours of working days, hardly anything else; the epoch was a Thursday."""
    day, hour = int(slot.time_s // DAY_S + 3) % 7, slot.time_s % DAY_S / HOUR_S
    return 3.3 if day < 5 and 8 <= hour < 18 else 0.02


class Bursts:
    """Off most of the time; on, at ten times the usual rate, for half an hour on average."""

    def __init__(self) -> None:
        self._on = False
        self._until_s = 0.0

    def __call__(self, slot: Slot) -> float:
        """Ten or nothing."""
        while self._until_s <= slot.time_s:
            self._on = not self._on
            last_s = 0.5 * HOUR_S if self._on else 4.5 * HOUR_S
            self._until_s = max(self._until_s, slot.time_s) + slot.rng.expovariate(1 / last_s)
        return 10.0 if self._on else 0.0


def growth(slot: Slot) -> float:
    """Fourfold over eight weeks."""
    return float(4 ** (slot.age_s / (8 * WEEK_S)))
