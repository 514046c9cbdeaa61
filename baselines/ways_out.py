"""Ways out: by which tools runs that met both sent something outside, and how usual that is.

Both: untrusted content and confidential data.
"""

from typing import Any, Final

MAX_HABITS: Final = 32


class _Habit:
    """One way out: in how many runs, and how many of them, far enough apart, make it ordinary."""

    __slots__ = ("counted", "counted_s", "runs")

    def __init__(self, time_s: float) -> None:
        self.counted_s = time_s
        self.runs = self.counted = 1


class WaysOut:
    """By way out (which tool sent, and whether it was refused): in how many runs it completed one.

    Bounded: the way out that was first used longest ago gives way.
    """

    __slots__ = ("_habits",)

    def __init__(self) -> None:
        self._habits: dict[str, _Habit] = {}

    def runs(self, way: str) -> int:
        """In how many earlier runs the combination left this way."""
        habit = self._habits.get(way)
        return habit.runs if habit else 0

    def is_odd(self, way: str, promote_runs: int) -> bool:
        """Whether one more run with it is out of the ordinary.

        It is in each of the first `promote_runs` runs, then in the 8th, 16th, 32nd, …, until so
        many of the runs were spread evenly enough: an agent whose work this is does not flood
        people, and nobody makes it ordinary within an hour.
        """
        habit = self._habits.get(way)
        if habit is None or habit.runs < promote_runs:
            return True
        number = habit.runs + 1
        return habit.counted < promote_runs and number & (number - 1) == 0

    def count(self, way: str, time_s: float, apart_s: float) -> None:
        """One more run completed the combination this way.

        Parameters
        ----------
        way
            The way out.
        time_s
            When, in seconds since the epoch.
        apart_s
            Of runs that follow one another faster only the first counts for it as ordinary.
        """
        habit = self._habits.get(way)
        if habit is not None:
            habit.runs += 1
            if time_s - habit.counted_s >= apart_s:
                habit.counted += 1
                habit.counted_s = time_s
            return
        if len(self._habits) >= MAX_HABITS:
            del self._habits[next(iter(self._habits))]
        self._habits[way] = _Habit(time_s)

    def adopt(self, way: str, time_s: float, promote_runs: int) -> None:
        """A person says that this way out is the agent's work."""
        if way not in self._habits:
            self.count(way, time_s, 0.0)
        habit = self._habits[way]
        habit.runs = max(habit.runs, promote_runs)
        habit.counted = max(habit.counted, promote_runs)

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same of it."""
        return [[way, h.runs, h.counted, h.counted_s] for way, h in self._habits.items()]

    @classmethod
    def load(cls, data: list[Any]) -> "WaysOut":
        """Undo `dump`."""
        ways_out = cls()
        for way, runs, counted, counted_s in data:
            habit = ways_out._habits[way] = _Habit(counted_s)
            habit.runs, habit.counted = runs, counted
        return ways_out


def way_out(tool: str, refused: bool) -> str:
    """The name of a way out; an attempt that was refused is none that others get used to."""
    return f"{'tried' if refused else 'sent'}\n{tool}"
