"""Windows of event time: what an agent did in this minute and this hour, against its levels."""

from collections.abc import Mapping, Sequence
from functools import cache
from math import log
from typing import Any, Final

from baselines.agent_hours import AgentHours
from baselines.level import Level
from baselines.scale import Scale
from baselines.season import hour_cell

METRICS: Final[tuple[str, ...]] = (
    "calls",
    "bytes_out",
    "bytes_in",
    "failures",
    "denials",
    "overrides",
)
CALLS: Final = 0
BYTES_OUT: Final = 1
BYTES_IN: Final = 2
FAILURES: Final = 3
DENIALS: Final = 4
OVERRIDES: Final = 5
SCALES: Final[tuple[Scale, ...]] = ("count", "bytes", "bytes", "count", "count", "count")
UNITS: Final[tuple[str, ...]] = (
    "calls",
    "bytes out",
    "bytes in",
    "failures",
    "denials",
    "overrides",
)
OUTCOMES: Final = {
    "denied": DENIALS,
    "override": OVERRIDES,
    "overridden": OVERRIDES,
    "bypassed": OVERRIDES,
}
"""By status, what an event counts as that is neither `ok` nor a failure: it was refused by a
policy or an approver, or went ahead although one of them had refused it."""

WINDOWS_S: Final[tuple[int, ...]] = (60, 3600)
_SLOW_S: Final = 3600
"""Windows so long look at the hour of the week; shorter ones follow it by themselves."""
LAG: Final = 24
"""So many of the slow windows wait until they are learned."""

_POWERS: Final[dict[Scale, float]] = {"count": 0.7, "bytes": 0.45}
"""On these powers the largest surprises of an hour are compared. Their tail then falls at least as
fast as exponentially for Poisson counts and for sizes whose logarithm is no wilder than Laplace's,
which is what the fit of a tail needs to keep a budget of one alarm in hundreds of hours."""
_LEAST_SPREADS: Final = (0.25, 0.25, 0.25, 0.6, 0.6, 0.6)
"""Of the largest surprises in an hour: the first failure ever is no alarm by itself."""
_FIRST_CAUTION: Final[dict[Scale, float]] = {"count": 1.0, "bytes": 2.0}
"""So many times the nats are needed at first: sizes are often wilder than lognormal."""


def outcome(status: str) -> int | None:
    """The metric that a status counts in; None for `ok`."""
    return None if status == "ok" else OUTCOMES.get(status, FAILURES)


class Window:
    """Running totals of the open window of one length, and the levels of the closed ones.

    A window closes when the agent's own event time passes its end. Windows without any event are
    not learned: a level says how much an agent does when it acts. Late events count in the open
    window.

    Parameters
    ----------
    length_s
        Length in seconds.

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

    __slots__ = (
        "_hours",
        "_places",
        "alarmed",
        "cell",
        "end_s",
        "length_s",
        "levels",
        "limits",
        "start_s",
        "totals",
    )

    def __init__(self, length_s: int, hours: AgentHours) -> None:
        self.length_s = length_s
        self.start_s = 0.0
        self.end_s = 0.0
        self.cell = 0
        self.totals = [0.0] * len(METRICS)
        self.alarmed: set[int] = set()
        self.levels = [
            Level(scale, *_habit(length_s, metric)) for metric, scale in enumerate(SCALES)
        ]
        self.limits = [level.least_limit(0) for level in self.levels]
        self._hours = hours
        self._places = WINDOWS_S.index(length_s) * len(METRICS)

    def add(self, bytes_out: int | None, bytes_in: int | None, outcome: int | None) -> bool:
        """Count one event in; tells whether a total is over its limit."""
        totals, limits = self.totals, self.limits
        calls = totals[CALLS] = totals[CALLS] + 1
        over = calls > limits[CALLS]
        if bytes_out:
            total = totals[BYTES_OUT] = totals[BYTES_OUT] + bytes_out
            over = over or total > limits[BYTES_OUT]
        if bytes_in:
            total = totals[BYTES_IN] = totals[BYTES_IN] + bytes_in
            over = over or total > limits[BYTES_IN]
        if outcome is not None:
            total = totals[outcome] = totals[outcome] + 1
            over = over or total > limits[outcome]
        return over and self._is_over()

    def _is_over(self) -> bool:
        """Whether a total is over its level's limit, once it is over what stood in for it."""
        over, limits = False, self.limits
        for metric, total in enumerate(self.totals):
            if total > limits[metric]:
                nats, run_nats = self._hours.allowed(self._places + metric)
                limit = limits[metric] = self.levels[metric].limit(self.cell, nats, run_nats)
                over = over or total > limit
        return over

    @property
    def calibrated(self) -> bool:
        """Whether limits follow from the agent's own hours."""
        return self._hours.calibrated

    def limit(self, metric: int) -> float:
        """A total above it is odd, in the open window; infinite while it is learned."""
        allowed = self._hours.allowed(self._places + metric)
        return self.levels[metric].limit(self.cell, *allowed)

    def score(self, metric: int) -> tuple[float, float]:
        """How odd a total is, were it to stay so: as a calibrated score, and its p by the model."""
        nats, run = self._nats(metric)
        hours, place = self._hours, self._places + metric
        return hours.score(place, nats, run), max(nats, run)

    def adds_up(self, metric: int) -> bool:
        """Whether a total is odd only together with the windows before it."""
        nats, run = self._nats(metric)
        most, most_run = self._hours.allowed(self._places + metric)
        return nats < most and run >= most_run

    def _nats(self, metric: int) -> tuple[float, float]:
        level = self.levels[metric]
        nats = level.surprise(self.totals[metric], self.cell)
        return nats, level.run_with(nats)

    def close(self, adopt_after_s: float) -> None:
        """Score the open window, then learn it or, where it alarmed, hold it."""
        totals, cell, alarmed = self.totals, self.cell, self.alarmed
        for metric, level in enumerate(self.levels):
            total, place = totals[metric], self._places + metric
            if alarmed and metric in alarmed:
                self._hours.note(place, *self._nats(metric))
                if self._hours.calibrated:
                    level.hold(total, self.cell, self.start_s, adopt_after_s)
                else:
                    # A first opinion is from too little to insist on: learn up to the limit.
                    total = min(total, level.limit(self.cell, *self._hours.allowed(place)))
                    level.run = 0.0
                    level.learn(total, self.cell)
                continue
            nats = level.surprise(total, cell) if total else 0.0
            if nats or level.run:
                level.run = level.run_with(nats)
                self._hours.note(place, nats, level.run)
            level.learn(total, cell)

    def adopt(self, metric: int, quantity: float) -> None:
        """A person says that so much of a metric is usual; the open window's total is, too."""
        if metric in self.alarmed:
            quantity = max(quantity, self.totals[metric])
            self.alarmed.discard(metric)
        self.levels[metric].adopt(quantity, self.cell)
        self.forget_limits()

    def open(self, time_s: float) -> None:
        """Open the window that `time_s` lies in."""
        self.start_s = time_s // self.length_s * self.length_s
        self.end_s = self.start_s + self.length_s
        self.cell = hour_cell(self.start_s)
        self.totals = [0.0] * len(METRICS)
        self.forget_limits()
        self.alarmed.clear()

    def forget_limits(self) -> None:
        """Go back to what is surely ordinary: what is allowed has changed."""
        if self.length_s == _SLOW_S:
            self.limits = [level.least_limit(self.cell) for level in self.levels]
        else:
            self.limits = [level.usual for level in self.levels]

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same window of it."""
        levels = [level.dump() for level in self.levels]
        return [self.start_s, self.end_s, self.totals, sorted(self.alarmed), levels]

    @classmethod
    def load(cls, data: list[Any], length_s: int, hours: AgentHours) -> "Window":
        """Undo `dump`."""
        start_s, end_s, totals, alarmed, levels = data
        window = cls(length_s, hours)
        window.start_s, window.end_s = start_s, end_s
        window.cell = hour_cell(start_s)
        window.totals = list(totals)
        window.alarmed = set(alarmed)
        window.levels = [
            Level.load(data, level.scale, level.seasonal, level.lag)
            for data, level in zip(levels, window.levels, strict=True)
        ]
        window.limits = [level.least_limit(window.cell) for level in window.levels]
        return window


def _habit(length_s: int, metric: int) -> tuple[bool, int]:
    """Whether a level is seasonal, and how many windows it learns late."""
    is_slow = length_s == _SLOW_S
    return is_slow and metric < FAILURES, LAG if is_slow else 0


def new_hours(window_alpha: Mapping[int, float]) -> AgentHours:
    """The agent-hours of an agent that is new.

    Parameters
    ----------
    window_alpha
        By window length: the share of ordinary windows that may pass their limit at first.
    """
    return AgentHours(*_allowances(tuple(window_alpha.items())))


def load_hours(data: list[Any], window_alpha: Mapping[int, float]) -> AgentHours:
    """Undo `AgentHours.dump`."""
    return AgentHours.load(data, *_allowances(tuple(window_alpha.items())))


@cache
def _allowances(
    window_alpha: tuple[tuple[int, float], ...],
) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
    """By level: the surprise allowed at first, the least spread of the largest, their power.

    All agents share them; there are as many as settings.
    """
    alphas = dict(window_alpha)
    first = tuple(
        -log(alphas[length_s]) * _FIRST_CAUTION[scale] for length_s in WINDOWS_S for scale in SCALES
    )
    powers = tuple(_POWERS[scale] for scale in SCALES)
    return first, _LEAST_SPREADS * len(WINDOWS_S), powers * len(WINDOWS_S)
