"""Windows of event time: what an agent did in this minute and this hour, against its levels."""

from typing import Any, Final

from baselines.level import Level, Scale

METRICS: Final[tuple[str, ...]] = ("calls", "bytes_out", "bytes_in", "failures")
CALLS, BYTES_OUT, BYTES_IN, FAILURES = range(4)
SCALES: Final[tuple[Scale, ...]] = ("count", "bytes", "bytes", "count")
UNITS: Final[tuple[str, ...]] = ("calls", "bytes out", "bytes in", "failures")

WINDOWS_S: Final[tuple[int, ...]] = (60, 3600)


class Window:
    """Running totals of the open window of one length, and the levels of the closed ones.

    A window closes when the agent's own event time passes its end. Windows without any event are
    not learned: a level says how much an agent does when it acts. Late events count in the open
    window.

    Parameters
    ----------
    length_s
        Length in seconds.
    alpha
        Share of ordinary windows that may lie above a level's limit.

    Attributes
    ----------
    start_s, end_s
        Of the open window, in seconds since the epoch; aligned to multiples of the length.
    totals
        Of the open window, by metric.
    limits
        Of the totals, by metric: what is surely ordinary; once that is passed, the level's own.
    alarmed
        Metrics for which the open window raised an alarm.
    """

    __slots__ = ("alarmed", "end_s", "length_s", "levels", "limits", "start_s", "totals")

    def __init__(self, length_s: int, alpha: float) -> None:
        self.length_s = length_s
        self.start_s = 0.0
        self.end_s = 0.0
        self.totals = [0.0] * len(METRICS)
        self.alarmed: set[int] = set()
        self.levels = [Level(scale, alpha) for scale in SCALES]
        self.limits = [level.least_limit for level in self.levels]

    def add(self, bytes_out: int | None, bytes_in: int | None, failed: bool) -> bool:
        """Count one event in; tells whether a total is over its limit."""
        totals, limits = self.totals, self.limits
        totals[CALLS] += 1
        over = totals[CALLS] > limits[CALLS]
        if bytes_out:
            totals[BYTES_OUT] += bytes_out
            over |= totals[BYTES_OUT] > limits[BYTES_OUT]
        if bytes_in:
            totals[BYTES_IN] += bytes_in
            over |= totals[BYTES_IN] > limits[BYTES_IN]
        if failed:
            totals[FAILURES] += 1
            over |= totals[FAILURES] > limits[FAILURES]
        return over and self._is_over()

    def _is_over(self) -> bool:
        """Whether a total is over its level's limit, once it is over what stood in for it."""
        over = False
        for metric, total in enumerate(self.totals):
            if total > self.limits[metric]:
                self.limits[metric] = self.levels[metric].limit
                over |= total > self.limits[metric]
        return over

    def roll(self, time_s: float, adopt_after_s: float) -> None:
        """Close the open window and open the one that `time_s` lies in."""
        if self.end_s:
            for metric, level in enumerate(self.levels):
                if metric in self.alarmed:
                    level.hold(self.totals[metric], self.start_s, adopt_after_s)
                else:
                    level.learn(self.totals[metric])
            self.limits = [level.least_limit for level in self.levels]
        self.start_s = time_s // self.length_s * self.length_s
        self.end_s = self.start_s + self.length_s
        self.totals = [0.0] * len(METRICS)
        self.alarmed.clear()

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same window of it."""
        levels = [level.dump() for level in self.levels]
        return [self.length_s, self.start_s, self.end_s, self.totals, sorted(self.alarmed), levels]

    @classmethod
    def load(cls, data: list[Any], alpha: float) -> "Window":
        """Undo `dump`."""
        length_s, start_s, end_s, totals, alarmed, levels = data
        window = cls(length_s, alpha)
        window.start_s, window.end_s = start_s, end_s
        window.totals = list(totals)
        window.alarmed = set(alarmed)
        window.levels = [
            Level.load(level, scale, alpha) for level, scale in zip(levels, SCALES, strict=True)
        ]
        window.limits = [level.least_limit for level in window.levels]
        return window
