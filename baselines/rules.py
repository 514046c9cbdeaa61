"""Rules: what profiles are learned by, as it follows from the settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from baselines.exposure import Exposure
from baselines.runs import Step
from baselines.vocabulary import Patience
from baselines.window import WINDOWS_S

FAMILIES: Final = ("run", "level", "rhythm", "silence")
"""Kinds of score, each with a calibration and a share of the budget of its own."""
MAX_ALPHA: Final = 0.1

_HARMFUL: Final = frozenset({"external", "destructive"})


@dataclass(frozen=True, slots=True)
class Learning:
    """When something that was alarmed on becomes normal.

    Parameters
    ----------
    promote_runs, promote_after_s
        In how many distinct runs, and for how long, a quarantined term must be seen to be known;
        the latter holds for a new level, too.
    strict_runs, strict_after_s
        The same for what a tool's result brought into an external or destructive step.
    cohorts
        Whether agents with little history lean on others of their role.
    """

    promote_runs: int = 4
    promote_after_s: float = 6 * 3600.0
    strict_runs: int = 5
    strict_after_s: float = 86_400.0
    cohorts: bool = True

    def patience(self, step: Step) -> Patience:
        """What a quarantined term must show, by the step that brought it."""
        if is_strict(step):
            return Patience(self.strict_runs, self.strict_after_s)
        return Patience(self.promote_runs, self.promote_after_s)


@dataclass(frozen=True, slots=True)
class Rules(Learning):
    """What a profile is learned by.

    Parameters
    ----------
    weekly
        By family of scores: how many episodes a week may alarm though nothing is wrong.
    window_alpha
        By window length in seconds: the share of ordinary windows that may pass their limit.
    exposure
        Which reads bring untrusted content or confidential data into a run.
    probation_factor
        So many times more of what an agent on probation does may alarm.
    """

    weekly: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(FAMILIES, 0.25))
    window_alpha: dict[int, float] = field(default_factory=lambda: dict.fromkeys(WINDOWS_S, 1e-5))
    exposure: Exposure = field(default_factory=Exposure)
    probation_factor: float = 10.0

    def alpha(self, family: str, episodes_per_week: float) -> float:
        """Share of a family's episodes that may alarm."""
        return min(MAX_ALPHA, self.weekly[family] / episodes_per_week)

    def strict(self, alpha: float) -> float:
        """The share that may alarm while the agent is on probation."""
        return min(MAX_ALPHA, alpha * self.probation_factor)


def is_strict(step: Step) -> bool:
    """Whether the step does outside or for good what a tool's result, not a person, brought in."""
    return step.effect in _HARMFUL and step.origin not in ("user", "model")
