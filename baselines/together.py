"""Together: which tools an agent uses in one run, and so which one is out of place in it."""

from collections.abc import Iterable, Sequence
from sys import intern
from typing import Any, Final

MAX_TOOLS: Final = 64
_KEPT: Final = 0.998
"""What is left of a run's weight when its tool's next run is counted."""
_PRIOR_SHARE: Final = 0.25
_PRIOR_RUNS: Final = 1.0
_COHORT_RUNS: Final = 20.0
"""What a cohort knows counts as much as so many runs of the agent's own."""
_RESCALE: Final = 1e9


class _Row:
    """Runs that used one tool, and in which of them each other tool was used; newest weigh most.

    Instead of letting every count decay with each run, each run weighs a little more than the
    one before it.
    """

    __slots__ = ("runs", "weight", "with_tool")

    def __init__(self) -> None:
        self.weight = 1.0
        self.runs = 0.0
        self.with_tool: dict[str, float] = {}


class Together:
    """For each tool: the share of its runs in which each other tool was used, too."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}

    def share(self, tool: str, used: Iterable[str], cohort: "Together | None" = None) -> float:
        """How usual a tool is in a run, by the tool among those used that goes with it best.

        Parameters
        ----------
        tool
            The one in question, not among `used`.
        used
            Tools of the run so far.
        cohort
            What the agent's peers do, for what the agent itself has hardly done yet.

        Returns
        -------
        float
            1 where nothing was used before.
        """
        best, counts = 0.0, self.counts
        for other in used:
            runs, both = counts(other, tool)
            if cohort is None:
                share = (both + _PRIOR_SHARE) / (runs + _PRIOR_RUNS)
            else:
                theirs, both_theirs = cohort.counts(other, tool)
                prior = (both_theirs + _PRIOR_SHARE) / (theirs + _PRIOR_RUNS)
                share = (both + _COHORT_RUNS * prior) / (runs + _COHORT_RUNS)
            if share > best:
                best = share
        return min(1.0, best) if best else 1.0

    def take(self, tools: Sequence[str]) -> None:
        """Learn the tools of one run; of a run with very many, the first."""
        tools, rows = tools[:MAX_TOOLS], self._rows
        for tool in tools:
            row = rows.get(tool)
            if row is None:
                if len(rows) >= MAX_TOOLS:
                    del rows[min(rows, key=lambda name: self.counts(name, name)[0])]
                row = rows[tool] = _Row()
            weight = row.weight = row.weight / _KEPT
            row.runs += weight
            with_tool = row.with_tool
            for other in tools:
                if other != tool:
                    with_tool[other] = with_tool.get(other, 0.0) + weight
            if (excess := len(with_tool) - MAX_TOOLS) > 0:
                for other in sorted(with_tool, key=with_tool.__getitem__)[:excess]:
                    del with_tool[other]
            if weight > _RESCALE:
                self._rescale(row)

    def adopt(self, tool: str) -> None:
        """A person says that the tool is usual: it goes with every other for a while."""
        self.take([tool])
        for name, row in self._rows.items():
            if name != tool and row.with_tool.get(tool, 0.0) < row.runs / 2:
                if tool not in row.with_tool and len(row.with_tool) >= MAX_TOOLS:
                    del row.with_tool[min(row.with_tool, key=row.with_tool.__getitem__)]
                row.with_tool[tool] = row.runs / 2

    def counts(self, other: str, tool: str) -> tuple[float, float]:
        """Runs that used the one, and those of them that used the other, too; newest weigh most."""
        row = self._rows.get(other)
        if row is None:
            return 0.0, 0.0
        weight = row.weight
        return row.runs / weight, row.with_tool.get(tool, 0.0) / weight

    @staticmethod
    def _rescale(row: _Row) -> None:
        row.runs /= row.weight
        row.with_tool = {name: both / row.weight for name, both in row.with_tool.items()}
        row.weight = 1.0

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same of it."""
        return [
            [tool, row.weight, row.runs, list(row.with_tool.items())]
            for tool, row in self._rows.items()
        ]

    @classmethod
    def load(cls, data: list[Any]) -> "Together":
        """Undo `dump`."""
        together = cls()
        for tool, weight, runs, with_tool in data:
            row = together._rows[intern(tool)] = _Row()
            row.weight, row.runs = weight, runs
            row.with_tool = {intern(other): both for other, both in with_tool}
        return together
