"""Pace: how many runs an agent has a week, and how many of one hour may teach."""

from typing import Any, Final

WEEK_S: Final = 7 * 86_400.0
_HOUR_S: Final = 3600.0
_HALF_LIFE_S: Final = 2 * WEEK_S
_LEAST_WATCHED_S: Final = 3 * _HOUR_S
"""Below it a pace is worked out as if it had been watched for so long."""
_FADING: Final = 0.05
"""Weight of the newest hour in what is usual per hour."""
_LEAST_PER_HOUR: Final = 12
_FACTOR: Final = 4.0
"""So many times the usual number of runs in one hour may teach; those beyond are only judged."""


class Pace:
    """Runs per week, the past fading, and a quota of runs per hour to learn from.

    The quota is against who invents runs to make something look usual: a hundred new trace ids
    in an hour teach no more than an ordinary busy hour does, nor do they raise the limit.
    """

    __slots__ = ("_hour", "_in_hour", "_last_s", "_per_hour", "_runs", "_watched_s")

    def __init__(self) -> None:
        self._runs = 0.0
        self._watched_s = 0.0
        self._last_s: float | None = None
        self._hour = 0
        self._in_hour = 0
        self._per_hour = 0.0

    @property
    def runs_per_week(self) -> float:
        """As of the last run; at least one."""
        return max(1.0, self._runs / max(_LEAST_WATCHED_S, self._watched_s) * WEEK_S)

    def take(self, time_s: float) -> bool:
        """Count a run that ended; whether it may teach."""
        if self._last_s is not None and time_s > self._last_s:
            passed_s = time_s - self._last_s
            kept = 0.5 ** (passed_s / _HALF_LIFE_S)
            self._runs *= kept
            self._watched_s = self._watched_s * kept + passed_s
        self._runs += 1
        self._last_s = time_s if self._last_s is None else max(self._last_s, time_s)
        hour = int(time_s // _HOUR_S)
        if hour > self._hour:
            # The hour that ended, as far as it may have taught: a burst must not raise its quota.
            usual = min(self._in_hour, self._quota)
            self._per_hour += _FADING * (usual - self._per_hour)
            self._hour, self._in_hour = hour, 0
        self._in_hour += 1
        return self._in_hour <= self._quota

    @property
    def _quota(self) -> float:
        return max(_LEAST_PER_HOUR, _FACTOR * self._per_hour)

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same of it."""
        per_hour = [self._hour, self._in_hour, self._per_hour]
        return [self._runs, self._watched_s, self._last_s, *per_hour]

    @classmethod
    def load(cls, data: list[Any]) -> "Pace":
        """Undo `dump`."""
        pace = cls()
        pace._runs, pace._watched_s, pace._last_s, *per_hour = data
        pace._hour, pace._in_hour, pace._per_hour = per_hour
        return pace
