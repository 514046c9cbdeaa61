"""Repeats: how often in a row an agent makes one identical call within a run."""

from typing import Any, Final

from river.stats import EWMean

from baselines.mean import mean_at
from baselines.runs import MAX_CALLS, Call, Run

_FADING_FACTOR: Final = 0.04
MAX_HELD: Final = 8
"""So many alarmed streaks in a row, spread over long enough, are what is usual now."""


class Repeats:
    """How long streaks of identical calls usually get: those of at least two, the past fading."""

    __slots__ = ("_held", "_mean", "_streaks")

    def __init__(self) -> None:
        self._streaks = 0
        self._mean = EWMean(_FADING_FACTOR)
        self._held: list[tuple[int, float]] = []

    @property
    def usual(self) -> float:
        """The usual length; 1 before there was any streak."""
        return self._mean.get() if self._streaks else 1.0

    @staticmethod
    def count(run: Run, call: Call) -> tuple[int, int]:
        """How long a streak the call makes, and how often it was made among its run's latest.

        The latter also counts while a few calls take turns, as parallel calls do.
        """
        calls = run.calls
        times = calls.get(call)
        if times is None:
            return 1, 1
        return (run.streak + 1 if next(reversed(calls)) == call else 1), times + 1

    def take(
        self, run: Run, call: Call, streak: int, alarmed: bool, time_s: float, adopt_after_s: float
    ) -> None:
        """Note one call; a streak that it ends is learned, or held if it was alarmed on."""
        if streak == 1 and run.streak > 1:
            self.end(run, time_s, adopt_after_s)
        calls = run.calls
        times = calls.pop(call, 0)
        run.looping = alarmed or (times > 0 and run.looping)
        run.streak = streak
        if len(calls) >= MAX_CALLS:
            del calls[next(iter(calls))]
        calls[call] = times + 1

    def end(self, run: Run, time_s: float, adopt_after_s: float) -> None:
        """Learn the run's streak; one that was alarmed on waits until such streaks have lasted."""
        if run.looping:
            self._held.append((run.streak, time_s))
            if len(self._held) <= MAX_HELD:
                return
            if time_s - self._held[0][1] < adopt_after_s:
                del self._held[1]  # keep the first, for how long it has lasted, and the newest
                return
            self._mean, self._streaks = EWMean(_FADING_FACTOR), 0
            for streak, _ in self._held:
                self._learn(streak)
            self._held = []
        elif run.streak > 1:
            self._held = []
            self._learn(run.streak)

    def adopt(self, streak: int) -> None:
        """A person says that such streaks are usual; longer ones that were held are, too."""
        streak = max([streak, *(held for held, _ in self._held)])
        self._mean, self._streaks, self._held = EWMean(_FADING_FACTOR), 0, []
        self._learn(streak)

    def _learn(self, streak: int) -> None:
        self._mean.update(float(streak))
        self._streaks += 1

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same repeats of it."""
        return [self._streaks, self._mean.get(), [list(held) for held in self._held]]

    @classmethod
    def load(cls, data: list[Any]) -> "Repeats":
        """Undo `dump`."""
        repeats = cls()
        repeats._streaks, mean, held = data
        if repeats._streaks:
            repeats._mean = mean_at(mean, _FADING_FACTOR)
        repeats._held = [(streak, time_s) for streak, time_s in held]
        return repeats
