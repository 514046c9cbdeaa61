"""The kinds of benign agent, and crowds of them."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Final

from tests.kit.benign.agent import Agent, Habits
from tests.kit.benign.arrivals import (
    Arrivals,
    Bursts,
    NegativeBinomial,
    daily,
    growth,
    poisson,
    weekly,
)
from tests.kit.benign.fast import FastAgent
from tests.kit.benign.work import AREAS, Task, task

START_S: Final = 1_769_990_400.0
"""When every agent begins: Monday, 2026-02-02T00:00:00Z."""

TEN_A_SECOND: Final = "ten a second"
KINDS: Final[dict[str, Callable[[], Arrivals]]] = {
    "Poisson": lambda: poisson,
    "negative binomial": NegativeBinomial,
    "daily rhythm": lambda: daily,
    "weekly rhythm": lambda: weekly,
    "on/off bursts": Bursts,
    "heavy-tailed volumes": lambda: poisson,
    "steady explorer": lambda: poisson,
    "a new task every week": lambda: poisson,
    "slow growth": lambda: growth,
    "ten actions a day": lambda: daily,
    TEN_A_SECOND: lambda: poisson,
}
"""By kind: when its agents work."""


def crowd(kind: str, agents: int, seed: int = 1, first: int = 0) -> list[Agent | FastAgent]:
    """Agents of one kind and role; each depends on kind, seed and its own number alone.

    Of six agents one reports no `trace_id` and one no origins; rates go from one to eight runs an
    hour.

    Parameters
    ----------
    kind
        One of `KINDS`.
    agents
        How many.
    seed
        Another seed, other agents.
    first
        Number of the first one.
    """
    return [_agent(kind, number, seed) for number in range(first, first + agents)]


def _agent(kind: str, number: int, seed: int) -> Agent | FastAgent:
    role = kind.replace(" ", "-").replace("/", "-")
    agent_id = f"{role}-{number}"
    rng = Random(f"{seed}/{agent_id}")
    openness = 6.0 if kind == "steady explorer" else 0.25 + 0.35 * rng.random()
    areas = rng.sample(AREAS, 2 + int(rng.random() * 2))
    tasks = [task(area, agent_id, openness) for area in areas]
    if kind == TEN_A_SECOND:
        wave = 0.6 if number % 3 == 2 else 0.0
        fast_seed = seed * 1_000_003 + number
        return FastAgent(agent_id, role, fast_seed, number % 6 != 4, wave, tasks, START_S)
    habits = Habits(
        runs_per_hour=8.0 ** rng.random(),
        traced=number % 6 != 4,
        sourced=number % 6 != 3,
        gap_s=2.0 + 20.0 * rng.random(),
        heavy=kind == "heavy-tailed volumes",
        new_tasks=kind == "a new task every week",
        parent=f"{role}-lead" if number % 7 == 2 else None,
        versioned=number % 4 == 1,
    )
    if kind == "ten actions a day":
        tasks, habits = _ten_a_day(tasks, habits, number)
    return Agent(agent_id, role, f"{seed}/{agent_id}", KINDS[kind](), habits, tasks, START_S)


def _ten_a_day(tasks: list[Task], habits: Habits, number: int) -> tuple[list[Task], Habits]:
    """Two or three runs a day; every third agent makes ten runs of a single call."""
    calls = sum(map(len, tasks)) / len(tasks) * 1.08
    if number % 3 == 0:
        tasks, calls = [(step,) for one in tasks for step in one], 1.19
    return tasks, replace(habits, runs_per_hour=10.0 / 24.0 / calls)
