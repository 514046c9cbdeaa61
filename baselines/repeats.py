"""Repeats: how often in a row an agent makes one identical call within a run."""

from typing import Any, Final

from baselines.level import Level

MAX_OPEN_RUNS: Final = 16
"""Runs of one agent that are followed at once; of more, the one quiet for longest is let go."""

_ANY_HOUR: Final = 0

Call = tuple[str | None, str | None, int | None, int | None]
"""Tool, target, bytes out, bytes in: what makes two calls identical."""


class Repeats:
    """Streaks of identical calls per run, and a level of how long they usually get.

    Attributes
    ----------
    level
        Of the lengths of streaks of at least two.
    """

    __slots__ = ("_runs", "level")

    def __init__(self) -> None:
        self.level = Level("count")
        self._runs: dict[str, tuple[Call, int, bool]] = {}

    def count(self, run: str, call: Call) -> int:
        """How long the run's streak is with this call."""
        last = self._runs.get(run)
        return last[1] + 1 if last is not None and last[0] == call else 1

    @property
    def usual(self) -> float:
        """How long a streak of at least two usually gets; 0 before the first."""
        return self.level.expected(_ANY_HOUR)

    def alarmed(self, run: str) -> bool:
        """Whether the run's streak was alarmed on already."""
        last = self._runs.get(run)
        return last is not None and last[2]

    def take(
        self, run: str, call: Call, streak: int, alarmed: bool, time_s: float, adopt_after_s: float
    ) -> None:
        """Note one call; a streak that it ends is learned, or held if it was alarmed on."""
        runs = self._runs
        last = runs.get(run)
        if last is None:
            if len(runs) >= MAX_OPEN_RUNS:
                self._end(runs.pop(next(iter(runs))), time_s, adopt_after_s)
        else:
            if len(runs) > 1:
                del runs[run]  # to be put back as the most recent
            if streak > 1:
                alarmed = alarmed or last[2]
            elif last[1] > 1:
                self._end(last, time_s, adopt_after_s)
        runs[run] = (call, streak, alarmed)

    def _end(self, ended: tuple[Call, int, bool], time_s: float, adopt_after_s: float) -> None:
        _, streak, alarmed = ended
        if alarmed:
            self.level.hold(streak, _ANY_HOUR, time_s, adopt_after_s)
        elif streak > 1:
            self.level.learn(streak, _ANY_HOUR)

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same repeats of it."""
        runs = [[run, *last] for run, last in self._runs.items()]
        return [runs, self.level.dump()]

    @classmethod
    def load(cls, data: list[Any]) -> "Repeats":
        """Undo `dump`."""
        repeats = cls()
        runs, level = data
        repeats._runs = {run: (tuple(call), streak, alarmed) for run, call, streak, alarmed in runs}
        repeats.level = Level.load(level, "count")
        return repeats
