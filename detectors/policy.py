"""A policy: everything that decides what is odd."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from baselines.effect import EffectMap
from baselines.exposure import Exposure
from baselines.observation import Observation
from baselines.rules import Learning, Rules
from detectors.boundary import Boundary
from detectors.budget import Budget
from detectors.combination import Combination
from detectors.drift import Drift
from detectors.finding import Finding
from detectors.limits import Limits
from detectors.loop import Loop
from detectors.new_agent import NewAgent
from detectors.pattern import Patterns
from detectors.privilege import Privilege
from detectors.rhythm import OffHours
from detectors.spike import Spikes
from detectors.surprise import Surprise


class Detector(Protocol):
    """Turns an observation into findings."""

    @property
    def name(self) -> str:
        """What its findings are called; several names are joined by commas."""
        ...

    def judge(self, seen: Observation) -> Sequence[Finding]:
        """What is odd about the event; must not change anything but `seen.scores`."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """The same policy over the same log finds the same.

    Parameters
    ----------
    rules
        What profiles are learned by.
    effects
        What tools do to the world.
    detectors
        Asked in this order, each for every event.
    """

    rules: Rules
    effects: EffectMap
    detectors: tuple[Detector, ...]

    @classmethod
    def of(
        cls,
        budget: Budget,
        *,
        learning: Learning | None = None,
        limits: Sequence[Limits] = (),
        declared: Patterns = (),
        effects: EffectMap | None = None,
        exposure: Exposure | None = None,
        probation_factor: float = 10.0,
        across: Sequence[Detector] = (Drift(), Privilege(), Combination()),
    ) -> "Policy":
        """The policy that follows from a budget and from what people declared.

        Parameters
        ----------
        budget
            How many false alarms people can bear.
        learning
            When something that was alarmed on becomes normal.
        limits, declared
            Boundaries; patterns of the agents that somebody declared, none: any.
        effects, exposure
            What tools do to the world, and what they bring into a run.
        probation_factor
            So many times more of what an agent on probation does may alarm.
        across
            Detectors that look across an agent's events, with limits of their own.
        """
        detectors: list[Detector] = [Spikes(), Surprise(), Loop(), OffHours(), *across]
        if limits:
            detectors.append(Boundary(limits))
        if declared:
            detectors.append(NewAgent(declared))
        rules = budget.rules(learning or Learning())
        rules = replace(rules, exposure=exposure or Exposure(), probation_factor=probation_factor)
        return cls(rules, effects or EffectMap(), tuple(detectors))
