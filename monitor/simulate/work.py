"""What work is made of: steps, tasks, roles, and an actor that does them as version-1 events."""

import bisect
import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np

from baselines.event import ActionEvent, DataClass, Effect, Origin

_FIRST: Final = "ada ben cleo dan eva finn gwen hugo ida jon kim leo mia nils ona pia".split()
_LAST: Final = "adler brandt costa diaz egan fox gray hahn ito jung kaya lind mora noor".split()
_WORDS: Final = "alpha billing cargo delta ember fleet grid harbor index juno kepler ledger".split()

_FRESH_FROM: Final = 100_000
"""Targets numbered from here on were never used before."""
_PAUSE_S: Final = 4.0
"""Median time between two steps of a run, which is what a language model takes to think."""


class Act(NamedTuple):
    """One action, and the label of the incident that it belongs to; None for normal work."""

    event: ActionEvent
    incident: str | None


@dataclass(frozen=True)
class Pool:
    """Where targets of one kind come from: known ones by Zipf's law, now and then a fresh one.

    Parameters
    ----------
    pattern
        A target with `{n}`, `{name}` or `{word}` to fill in.
    size
        How many targets an agent knows.
    fresh
        How often a target is one that was never used before, 0 to 1.
    """

    pattern: str
    size: int = 1
    fresh: float = 0.0

    def draw(self, rng: np.random.Generator, first: int) -> str:
        """A target for an agent whose own targets are numbered from `first` on."""
        if self.fresh and rng.random() < self.fresh:
            return self.numbered(_FRESH_FROM + int(rng.integers(1_000_000)))
        return self.numbered(first + bisect.bisect(_zipf(self.size), rng.random()))

    def numbered(self, n: int) -> str:
        """The n-th target of this kind."""
        name = f"{_FIRST[n % len(_FIRST)]}.{_LAST[n // len(_FIRST) % len(_LAST)]}"
        return self.pattern.format(n=n, name=name, word=_WORDS[n % len(_WORDS)])


@lru_cache
def _zipf(size: int) -> list[float]:
    """Cumulative shares of the ranks 1 to `size`; the last is left out, so that `bisect` fits."""
    weights = 1.0 / np.arange(1, size + 1)
    return [float(share) for share in np.cumsum(weights / weights.sum())[:-1]]


@dataclass(frozen=True)
class Step:
    """One tool call as a task plans it. Sizes are medians, in bytes.

    Parameters
    ----------
    source
        The tool whose result held the target; its origin is then `tool`.
    chance
        How often a run has this step, 0 to 1.
    more
        How many further calls follow on average, each with a target of its own.
    """

    tool: str | None
    effect: Effect
    target: Pool | None = None
    origin: Origin | None = None
    source: str | None = None
    action: str = "tool_call"
    bytes_out: int = 90
    bytes_in: int = 900
    records: int | None = None
    data_class: DataClass = "internal"
    chance: float = 1.0
    more: float = 0.0
    error_rate: float = 0.01

    @property
    def scope(self) -> str:
        """The grant that the step needs."""
        return self.tool or self.action


@dataclass(frozen=True)
class Role:
    """What agents of one kind do, how often, and when.

    Parameters
    ----------
    tasks
        Each with its share of the runs.
    runs_per_hour
        At the busiest hour.
    hours
        24 shares of the busiest hour, from midnight on.
    weekend
        Share of a weekday's work that is done on Saturdays and Sundays.
    """

    name: str
    tasks: Mapping[tuple[Step, ...], float]
    runs_per_hour: float
    hours: tuple[float, ...]
    weekend: float
    users: Pool

    def activity(self, local_s: float) -> float:
        """How busy the role is at a local time, as a share of its busiest hour."""
        local = datetime.fromtimestamp(local_s, UTC)
        return self.hours[local.hour] * (self.weekend if local.weekday() >= 5 else 1.0)

    def steps(self) -> Iterator[Step]:
        """Every step of every task."""
        return itertools.chain.from_iterable(self.tasks)


@dataclass
class Actor:
    """An agent in one strand of its doings: its normal work, or one incident.

    Each strand draws from a generator of its own, so that an incident changes nothing about the
    normal work, and one agent nothing about another.
    """

    agent_id: str
    index: int
    role: Role
    seed: int
    strand: int = 0
    rng: np.random.Generator = field(init=False)
    _count: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([self.seed, self.index, self.strand])

    def act(
        self, step: Step, at_s: float, trace_id: str, target: str | None, **changes: Any
    ) -> ActionEvent:
        """One step as an event at `at_s` (seconds since the epoch); `changes` override fields."""
        rng = self.rng
        failed = rng.random() < step.error_rate
        tokens = _about(rng, 700)
        fields = {
            "event_id": self.new_id("event"),
            "time": datetime.fromtimestamp(round(at_s, 3), UTC).isoformat(timespec="milliseconds"),
            "agent_id": self.agent_id,
            "action": step.action,
            "tool": step.tool,
            "target": target,
            "target_origin": None if target is None else "tool" if step.source else step.origin,
            "target_source": None if target is None else step.source,
            "effect": step.effect,
            "status": "error" if failed else "ok",
            "bytes_out": _about(rng, step.bytes_out),
            "bytes_in": 64 if failed else _about(rng, step.bytes_in),
            "records": None if failed or step.records is None else _about(rng, step.records),
            "tokens": tokens,
            "cost_usd": round(tokens * 3e-6, 6),
            "duration_ms": float(_about(rng, 400)),
            "trace_id": trace_id,
            "role": self.role.name,
            "agent_version": "1.0.0",
            "data_class": step.data_class,
        }
        return ActionEvent.model_validate(fields | changes)

    def run(self, task: tuple[Step, ...], start_s: float) -> Iterator[ActionEvent]:
        """One run of a task. Steps that share a pool share its target, unless they repeat."""
        rng, at_s, trace_id = self.rng, start_s, self.new_id("trace")
        user_id = self.draw(self.role.users)
        bound: dict[Pool, str] = {}
        for step in task:
            if step.chance < 1 and rng.random() >= step.chance:
                continue
            calls = 1 + (int(rng.poisson(step.more)) if step.more else 0)
            for call in range(calls):
                target = None
                if step.target is not None:
                    if call or step.target not in bound:
                        bound[step.target] = self.draw(step.target)
                    target = bound[step.target]
                yield self.act(step, at_s, trace_id, target, user_id=user_id)
                at_s += _PAUSE_S * math.exp(0.6 * rng.standard_normal())

    def draw(self, pool: Pool) -> str:
        """A target of a kind, from those that this agent knows or a fresh one."""
        return pool.draw(self.rng, first=self.index * 37)

    def new_id(self, kind: str) -> str:
        """An id that tells nothing of what it is for, the same whenever the seed is the same."""
        self._count += 1
        name = f"{self.seed}/{self.agent_id}/{self.strand}/{kind}/{self._count}"
        return hashlib.blake2b(name.encode(), digest_size=10).hexdigest()


def _about(rng: np.random.Generator, median: int) -> int:
    """A log-normal amount: most near the median, a few several times as large; a few is a few."""
    return median if median < 10 else round(median * math.exp(0.4 * rng.standard_normal()))
