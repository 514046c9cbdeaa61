"""A generated agent: its runs, as events in time order."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from math import exp
from random import Random
from statistics import NormalDist
from typing import Any, Final, NamedTuple

from baselines.event import ActionEvent
from tests.kit.benign.arrivals import SLOT_S, WEEK_S, Arrivals, Slot
from tests.kit.benign.work import Call, Task, run, task
from tests.kit.events import quick_event


class Totals(NamedTuple):
    """Calls that are not given one by one: like others of their run, and only their sums matter."""

    calls: int
    bytes_out: int
    bytes_in: int
    failures: int


class Item(NamedTuple):
    """One event, bytes that stand for its record, and what is to be counted in before it."""

    event: ActionEvent
    raw: bytes
    before: Totals | None = None


_NEW_NOUNS: Final = ("visa", "parcel", "lease", "badge", "grant", "survey", "budget", "audit")
_MOST_BYTES: Final = 2.0**40
_QUANTILES: Final = 4096
_SPREADS: Final = tuple(
    exp(0.7 * NormalDist().inv_cdf((n + 0.5) / _QUANTILES)) for n in range(_QUANTILES)
)


def spread_of(rng: Random) -> float:
    """A factor about 1, lognormal with sigma 0.7, of a table: drawing one anew costs more."""
    return _SPREADS[int(rng.random() * _QUANTILES)]


@dataclass(slots=True)
class Habits:
    """What is particular about an agent.

    Parameters
    ----------
    runs_per_hour
        On average over its weeks.
    traced, sourced
        Whether it reports `trace_id`; whether it reports where targets came from.
    gap_s
        Median time between two calls of a run.
    heavy
        Whether the sizes of its answers have a Pareto tail (of index 1.1), or a lognormal one.
    new_tasks
        Whether it is given a task with new tools and new targets every week.
    parent
        Who delegates to it, if anybody.
    versioned
        Whether a new version of it is deployed every other week.
    """

    runs_per_hour: float
    traced: bool = True
    sourced: bool = True
    gap_s: float = 8.0
    heavy: bool = False
    new_tasks: bool = False
    parent: str | None = None
    versioned: bool = False


@dataclass(slots=True)
class Change:
    """What makes an agent another one from now on; what a detector should see.

    Parameters
    ----------
    rate, volume
        Runs per hour, and bytes of every call, so many times what they would have been.
    leak_bytes_per_h
        Carried out by repeating its latest call, every ten minutes, with these bytes in it.
    """

    rate: float = 1.0
    volume: float = 1.0
    leak_bytes_per_h: float = 0.0


class Agent:
    """One benign agent. A deep copy of it goes on exactly as it would.

    Parameters
    ----------
    agent_id, role
        Who it is.
    seed
        Of all its choices.
    arrivals
        When it works.
    habits
        How it works.
    tasks
        What it works at.
    start_s
        When it begins, in seconds since the epoch.

    Attributes
    ----------
    change
        Set it, and from the next slot on the agent behaves so.
    """

    def __init__(
        self,
        agent_id: str,
        role: str,
        seed: str,
        arrivals: Arrivals,
        habits: Habits,
        tasks: list[Task],
        start_s: float,
    ) -> None:
        self.agent_id = agent_id
        self.rng = Random(seed)
        self.arrivals = arrivals
        self.habits = habits
        self.tasks = tasks
        self.start_s = start_s
        self.change = Change()
        self._same: dict[str, Any] = {"agent_id": agent_id, "role": role, "action": "tool_call"}
        if habits.parent:
            self._same["parent_agent_id"] = habits.parent
        self._slot_s = start_s
        self._numbers = 0
        self._runs = 0
        self._weeks = 0
        # Of each tool the median size of what it is given and what it answers.
        self._sizes: dict[str, tuple[float, float]] = {}
        self._pending: list[tuple[float, int, dict[str, Any]]] = []
        self._latest: dict[str, Any] | None = None

    def until(self, time_s: float) -> Iterator[Item]:
        """The events before `time_s` that were not given yet, in time order."""
        while self._slot_s < time_s:
            self._open_slot()
            yield from self._due(min(self._slot_s, time_s))
        yield from self._due(time_s)

    def _due(self, time_s: float) -> Iterator[Item]:
        pending = self._pending
        while pending and pending[0][0] < time_s:
            at_s, _, fields = heappop(pending)
            yield Item(quick_event(at_s, fields), fields["event_id"].encode())

    def _open_slot(self) -> None:
        """Start the runs of the next ten minutes."""
        begin_s, rng, habits = self._slot_s, self.rng, self.habits
        self._slot_s = begin_s + SLOT_S
        age_s = begin_s - self.start_s
        if age_s >= self._weeks * WEEK_S:
            self._begin_week()
        busy = self.arrivals(Slot(begin_s, age_s, rng))
        rate_per_s = habits.runs_per_hour * self.change.rate * busy / 3600.0
        at_s = begin_s
        while rate_per_s > 0:
            at_s += rng.expovariate(rate_per_s)
            if at_s >= self._slot_s:
                break
            self._start_run(at_s)
        if self.change.leak_bytes_per_h:
            self._leak(begin_s + SLOT_S * rng.random())

    def _begin_week(self) -> None:
        if self.habits.new_tasks and self._weeks:
            noun = _NEW_NOUNS[(self._weeks - 1) % len(_NEW_NOUNS)]
            self.tasks.append(task(noun, self.agent_id, 0.3))
        if self.habits.versioned:
            self._same["agent_version"] = f"2026.{self._weeks // 2 + 1}"
        self._weeks += 1

    def _start_run(self, at_s: float) -> None:
        rng, habits = self.rng, self.habits
        self._runs += 1
        same = self._same
        if habits.traced:
            same = same | {"trace_id": f"{self.agent_id}/run-{self._runs}"}
        for call in run(self.tasks, rng):
            self._add(at_s, same, call)
            at_s += habits.gap_s * spread_of(rng)

    def _add(self, at_s: float, same: dict[str, Any], call: Call) -> None:
        rng = self.rng
        sent, answered = self._sizes.get(call.tool) or self._size_of(call.tool)
        self._numbers += 1
        fields = same | {
            "event_id": f"{self.agent_id}/{self._numbers}",
            "tool": call.tool,
            "target": call.target,
            "data_class": call.data_class,
        }
        if self.habits.sourced:
            fields["target_origin"], fields["target_source"] = call.origin, call.source
        fields["bytes_out"] = self._size(sent)
        fields["bytes_in"] = self._size(answered)
        luck = rng.random()
        if luck < 0.025:
            fields["status"] = "error" if luck > 0.002 else "denied"
            fields["bytes_in"] = 80
        self._latest = fields
        heappush(self._pending, (at_s, self._numbers, fields))

    def _size(self, median: float) -> int:
        rng = self.rng
        spread = 0.5 * rng.paretovariate(1.1) if self.habits.heavy else spread_of(rng)
        return int(min(_MOST_BYTES, median * spread) * self.change.volume)

    def _size_of(self, tool: str) -> tuple[float, float]:
        rng = Random(f"{self.agent_id}/{tool}")
        sizes = rng.lognormvariate(5.0, 1.0), rng.lognormvariate(6.5, 1.2)
        self._sizes[tool] = sizes
        return sizes

    def _leak(self, at_s: float) -> None:
        """Repeat the call that was planned last, with more in it."""
        if self._latest is None:
            return
        self._numbers += 1
        fields = self._latest | {
            "event_id": f"{self.agent_id}/{self._numbers}",
            "bytes_out": int(self.change.leak_bytes_per_h * SLOT_S / 3600.0),
        }
        heappush(self._pending, (at_s, self._numbers, fields))
