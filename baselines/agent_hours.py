"""The open agent-hour: the one episode that all levels of an agent share."""

from array import array
from collections.abc import Sequence
from math import exp, inf, sqrt
from typing import Any, Final

HOUR_S: Final = 3600.0
_DAY_S: Final = 86_400.0
_WEEK_S: Final = 7 * _DAY_S
_PACE_S: Final = 4 * _WEEK_S
"""Time in which what is known of the agent's pace fades to a third."""
LEAST_NATS: Final = 3.0
"""What the model gives a chance of one in twenty is never odd, however steady the agent was."""

_MIN_HOURS: Final = 24
"""Of fewer, surprises are compared as they are."""
_ANEW: Final = 24
"""Once so many hours is said anew what is usual and allowed …"""
_AT_ONCE: Final = 240
"""… but for the first hours, each of which tells much."""
_FADING: Final = 0.005
"""Weight of the newest hour in what is usual in an hour, once there were enough for that."""
# The largest of many surprises is about Gumbel: its mean and spread in units of its scale.
_GUMBEL_MEAN: Final = 0.5772
_GUMBEL_SPREAD: Final = 1.2825


class AgentHours:
    """The largest surprise of each level in the open hour, beside what that usually is.

    No model fits every metric: the sizes of answers are far wilder than the number of calls, and
    the windows of a bursty agent hang together. So each series of surprises (those of one level,
    singly and in runs) is first put in terms of its own largest in a usual hour. The score of an
    hour is the largest of these, and the agent's tail of such scores says what keeps the budget.
    What is usual and allowed stands for a day of such hours: an attack of hours must not raise,
    with its first ones, the limit for those that follow.

    Parameters
    ----------
    first_nats
        By level: the surprise that is allowed until the agent's own tail is calibrated.
    least_spreads
        By level: a smaller spread of its largest surprises is not believed.
    powers
        By level: the power of surprises that is compared. Below 1 it makes their tail lighter;
        the wilder a quantity is beside what its level takes it for, the less.

    Attributes
    ----------
    end_s
        Of the open hour, in seconds since the epoch; 0 before the first.
    per_week
        In how many hours a week the agent acts; recent weeks count more.
    """

    __slots__ = (
        "_active",
        "_allowed",
        "_eased_nats",
        "_first_nats",
        "_first_s",
        "_hours",
        "_largest",
        "_least_spreads",
        "_limit",
        "_mean",
        "_powers",
        "_spreads",
        "_usual",
        "_variance",
        "end_s",
        "per_week",
    )

    def __init__(
        self,
        first_nats: Sequence[float],
        least_spreads: Sequence[float],
        powers: Sequence[float],
    ) -> None:
        self._first_nats = first_nats
        self._least_spreads = least_spreads
        self._powers = powers
        self.end_s = 0.0
        self.per_week = 1.0
        self._first_s = 0.0
        self._active = 0.0
        self._hours = 0
        self._limit = inf
        self._eased_nats = 0.0
        zeros = bytes(8 * 2 * len(first_nats))
        self._largest, self._mean, self._variance = (array("d", zeros) for _ in range(3))
        self._settle()

    @property
    def calibrated(self) -> bool:
        """Whether what is allowed follows from the agent's own hours."""
        return self._limit < inf

    @property
    def is_due(self) -> bool:
        """Whether it is time to `allow` anew."""
        return self._hours < _AT_ONCE or self._hours % _ANEW == 0

    def allowed(self, level: int) -> tuple[float, float]:
        """How surprising a window of a level may be, in nats: by itself, and as part of a run."""
        return self._allowed[2 * level], self._allowed[2 * level + 1]

    def note(self, level: int, nats: float, run_nats: float) -> None:
        """Keep how surprising a window of a level was, by itself and as part of a run."""
        largest, place = self._largest, 2 * level
        if nats > largest[place]:
            largest[place] = nats
        if run_nats > largest[place + 1]:
            largest[place + 1] = run_nats

    def score(self, level: int, nats: float, run_nats: float) -> float:
        """What a window would make the score of the hour, at least."""
        return max(self._standard(2 * level, nats), self._standard(2 * level + 1, run_nats))

    def close(self) -> float:
        """End the open hour: its score. It counts in what will be usual, alarmed or not."""
        largest, mean, variance = self._largest, self._mean, self._variance
        score = max(map(self._standard, range(len(largest)), largest))
        self._hours += 1
        weight = max(_FADING, 1 / self._hours)
        for place, nats in enumerate(largest):
            off = nats ** self._powers[place // 2] - mean[place]
            mean[place] += weight * off
            variance[place] += weight * ((1 - weight) * off * off - variance[place])
            largest[place] = 0.0
        return score

    def enter(self, time_s: float) -> None:
        """Begin the hour that `time_s` lies in, in seconds since the epoch."""
        end_s = (time_s // HOUR_S + 1) * HOUR_S
        if self.end_s:
            self._active *= exp((self.end_s - end_s) / _PACE_S)
        else:
            self._first_s = end_s - HOUR_S
        self._active += 1
        self.end_s = end_s
        # The share of the fading time that lies in the time it has been watched for.
        watched_s = max(_DAY_S, end_s - self._first_s)
        self.per_week = self._active * _WEEK_S / (_PACE_S * (1 - exp(-watched_s / _PACE_S)))

    def allow(self, limit: float, eased_nats: float = 0.0) -> None:
        """Say which score keeps the budget from now on; infinite until there is one.

        Until then the surprise that is allowed is less by `eased_nats`. What is usual is what it
        was up to now.
        """
        self._limit = limit
        self._eased_nats = eased_nats
        self._settle()

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same of it."""
        limit = self._limit if self.calibrated else None
        parts = (self._largest, self._mean, self._variance, self._usual, self._spreads)
        series = [part.tolist() for part in parts]
        counts = [self._first_s, self._active, self._hours]
        return [[self.end_s, self.per_week, limit, self._eased_nats, *counts], series]

    @classmethod
    def load(
        cls,
        data: list[Any],
        first_nats: Sequence[float],
        least_spreads: Sequence[float],
        powers: Sequence[float],
    ) -> "AgentHours":
        """Undo `dump`.

        Raises
        ------
        ValueError
            If it is of another number of levels.
        """
        hours = cls(first_nats, least_spreads, powers)
        head, series = data
        hours.end_s, hours.per_week, limit, hours._eased_nats, *counts = head
        hours._limit = inf if limit is None else limit
        hours._first_s, hours._active, hours._hours = counts
        if any(len(part) != 2 * len(first_nats) for part in series):
            raise ValueError("hours of another number of levels")
        hours._largest, hours._mean, hours._variance, hours._usual, hours._spreads = (
            array("d", part) for part in series
        )
        hours._allowed = hours._allowances()
        return hours

    def _standard(self, place: int, nats: float) -> float:
        if self._hours < _MIN_HOURS:
            return nats
        beyond = (nats ** self._powers[place // 2] - self._usual[place]) / self._spreads[place]
        return float(_GUMBEL_MEAN + _GUMBEL_SPREAD * beyond)

    def _settle(self) -> None:
        """Take what is usual by now for what is."""
        least = self._least_spreads
        self._usual = array("d", self._mean)
        self._spreads = array(
            "d", [max(least[n // 2], sqrt(v)) for n, v in enumerate(self._variance)]
        )
        self._allowed = self._allowances()

    def _allowances(self) -> "array[float]":
        """By series the surprise that reaches the limit: the inverse of `_standard`."""
        if not self.calibrated:
            first = (max(LEAST_NATS, nats - self._eased_nats) for nats in self._first_nats)
            return array("d", [one for nats in first for one in (nats, inf)])
        beyond = (self._limit - _GUMBEL_MEAN) / _GUMBEL_SPREAD
        most = (
            max(0.0, usual + beyond * spread)
            for usual, spread in zip(self._usual, self._spreads, strict=True)
        )
        return array(
            "d",
            [
                max(LEAST_NATS, float(one ** (1 / self._powers[place // 2])))
                for place, one in enumerate(most)
            ],
        )
