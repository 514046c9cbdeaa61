"""Runs: what an agent has done in each run that is still open."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from baselines.term import MAX_NAME_CHARS, MAX_TARGET_CHARS, cut, size

MAX_OPEN: Final = 16
"""Runs of one agent that are followed at once; of more, the one quiet for longest is closed."""
IDLE_S: Final = 1800.0
"""A run without an event for so long is over."""
MAX_RUN_S: Final = 6 * 3600.0
"""A run that never pauses is closed after so long, and goes on as another."""
MAX_STEPS: Final = 256
"""A run with so many different steps is closed, and goes on as another …"""
MAX_STEPS_SIZE: Final = 64 << 10
"""… and so is one whose steps take so many bytes."""
_LOOK_AGAIN_S: Final = 60.0
MAX_CALLS: Final = 4
"""Different calls that may alternate in a loop: parallel calls interleave."""

Call = tuple[str, str | None, int | None, int | None]
"""Tool, target, bytes out, bytes in: what makes two calls identical."""


class Step(NamedTuple):
    """What of an event a run is judged by; equal steps of a run are judged once."""

    tool: str
    target: str | None
    origin: str | None
    source: str | None
    parent: str | None
    user: str | None
    effect: str


def step_of(
    tool: str,
    target: str | None,
    origin: str | None,
    source: str | None,
    parent: str | None,
    user: str | None,
    effect: str,
) -> Step:
    """A step of these texts, long ones cut: what they bring is kept in many places."""
    return Step(
        cut(tool, MAX_NAME_CHARS),
        None if target is None else cut(target, MAX_TARGET_CHARS),
        origin,
        None if source is None else cut(source, MAX_NAME_CHARS),
        None if parent is None else cut(parent, MAX_NAME_CHARS),
        None if user is None else cut(user, MAX_NAME_CHARS),
        effect,
    )


class Run:
    """One run, from its first event on.

    Attributes
    ----------
    name
        `trace_id`, or the agent's hour where there is none.
    start_s, last_s
        Event time of its first and its latest event, in seconds since the epoch.
    steps
        Each different step so far, with its score in nats.
    size
        How many bytes their texts take at most.
    odd_steps
        How many of them scored above 0.
    tools
        Those used so far, in order of first use.
    score
        The largest so far.
    fresh_score
        The largest of steps that tell something new: what waits in strict quarantine since an
        alarm has been told.
    alarmed
        Whether it was alarmed on.
    calls
        The latest different calls, oldest first, with how often each was made.
    streak
        How often in a row the last of them was.
    looping
        Whether that streak was alarmed on.
    """

    __slots__ = (
        "alarmed",
        "calls",
        "fresh_score",
        "last_s",
        "looping",
        "name",
        "odd_steps",
        "score",
        "size",
        "start_s",
        "steps",
        "streak",
        "tools",
    )

    def __init__(self, name: str, time_s: float) -> None:
        self.name = name
        self.start_s = self.last_s = time_s
        self.steps: dict[Step, float] = {}
        self.size = 0
        self.odd_steps = 0
        self.tools: list[str] = []
        self.score = self.fresh_score = 0.0
        self.alarmed = False
        self.calls: dict[Call, int] = {}
        self.streak = 0
        self.looping = False

    @property
    def is_full(self) -> bool:
        """Whether it takes no further step."""
        return self.size >= MAX_STEPS_SIZE or len(self.steps) >= MAX_STEPS

    def is_over(self, time_s: float) -> bool:
        """Whether it is closed before an event at this time."""
        return time_s - self.last_s > IDLE_S or time_s - self.start_s > MAX_RUN_S or self.is_full

    def take(self, step: Step, score: float, *, told: bool = False) -> None:
        """Note a step that it did not have yet; `told` if an alarm has told its like already."""
        self.steps[step] = score
        self.size += _size(step)
        if step.tool not in self.tools:
            self.tools.append(step.tool)
        if score > 0:
            self.odd_steps += 1
            self.score = max(self.score, score)
            if not told:
                self.fresh_score = max(self.fresh_score, score)

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same run of it."""
        steps = [[*step, score] for step, score in self.steps.items()]
        calls = [[*call, times] for call, times in self.calls.items()]
        times_s = [self.start_s, self.last_s]
        marks = [
            self.odd_steps,
            self.score,
            self.fresh_score,
            self.alarmed,
            self.streak,
            self.looping,
        ]
        return [self.name, times_s, steps, calls, marks]

    @classmethod
    def load(cls, data: list[Any]) -> "Run":
        """Undo `dump`."""
        name, (start_s, last_s), steps, calls, marks = data
        run = cls(name, start_s)
        run.last_s = last_s
        for *step, nats in steps:
            run.steps[Step(*step)] = nats
        run.size = sum(map(_size, run.steps))
        run.tools = list(dict.fromkeys(step.tool for step in run.steps))
        run.odd_steps, run.score, run.fresh_score, run.alarmed, *streak = marks
        run.streak, run.looping = streak
        for tool, target, bytes_out, bytes_in, times in calls:
            run.calls[tool, target, bytes_out, bytes_in] = times
        return run


def _size(step: Step) -> int:
    tool, target, _, source, parent, user, _ = step
    total = size(tool)
    for text in (target, source, parent, user):
        if text is not None:
            total += size(text)
    return total


class Runs:
    """The open runs of one agent. Whether one is over is looked at once an event minute."""

    __slots__ = ("_look_s", "_open")

    def __init__(self) -> None:
        self._open: dict[str, Run] = {}
        self._look_s = 0.0

    def at(self, name: str, time_s: float) -> tuple[Run, Sequence[Run]]:
        """The run that an event belongs to, and the runs that are over with it.

        Parameters
        ----------
        name
            Of the run.
        time_s
            Of the event, in seconds since the epoch.
        """
        runs = self._open
        run = runs.get(name)
        if run is not None and time_s < self._look_s and not run.is_full:
            if time_s > run.last_s:
                run.last_s = time_s
            return run, ()
        self._look_s = time_s + _LOOK_AGAIN_S
        over = [other for other in runs.values() if other.is_over(time_s)]
        for other in over:
            del runs[other.name]
        run = runs.get(name)
        if run is None:
            if len(runs) >= MAX_OPEN:
                quiet = min(runs.values(), key=lambda other: other.last_s)
                over.append(runs.pop(quiet.name))
            run = runs[name] = Run(name, time_s)
        run.last_s = max(run.last_s, time_s)
        return run, over

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same runs of it."""
        return [self._look_s, [run.dump() for run in self._open.values()]]

    @classmethod
    def load(cls, data: list[Any]) -> "Runs":
        """Undo `dump`."""
        runs = cls()
        runs._look_s, opened = data
        for dumped in opened:
            run = Run.load(dumped)
            runs._open[run.name] = run
        return runs
