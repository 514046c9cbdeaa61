"""New tool and new target: a term that the agent, so far, hardly ever needed a new one of."""

from collections.abc import Sequence
from typing import Final

from baselines.hold import Hold
from baselines.profile import Observation
from baselines.vocabulary import Vocabulary
from detectors.budget import Budget
from detectors.explain import name
from detectors.finding import Finding, Severity

_SEVERITY: Final = {
    "read": Severity.LOW,
    "unknown": Severity.MEDIUM,
    "write": Severity.MEDIUM,
    "external": Severity.HIGH,
    "destructive": Severity.HIGH,
}


class NewTool:
    """A tool that the agent never used.

    Parameters
    ----------
    budget
        Sets how rare a new tool must be to alarm.
    """

    name = "new_tool"

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def judge(self, seen: Observation) -> Sequence[Finding]:
        """The finding of one event, if any."""
        tools = seen.profile.tools
        if seen.tool in tools.known or _raised_in_this_run(tools, seen.tool, seen.run):
            return ()
        p_value = tools.surprise()
        alpha = self._budget.novelty_alpha(seen.profile, tools.uses)
        if p_value > alpha:
            return ()
        text = f"used {name(seen.tool)} for the first time; in {tools.uses} actions it used "
        return (
            Finding(
                detector=self.name,
                subject=seen.tool,
                episode=seen.run,
                observed=1.0,
                expected=p_value,
                unit="new tools per action",
                threshold=alpha,
                p_value=p_value,
                calibration="uncalibrated",
                severity=max(Severity.MEDIUM, _SEVERITY[seen.effect]),
                text=text + f"{len(tools.known)} tools and hardly ever a new one",
                hold=Hold("tool"),
            ),
        )


class NewTarget:
    """A target that the agent never used this tool on.

    Parameters
    ----------
    budget
        Sets how rare a new target must be to alarm.
    """

    name = "new_target"

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def judge(self, seen: Observation) -> Sequence[Finding]:
        """The finding of one event, if any."""
        target, targets = seen.event.target, seen.targets
        if target is None or targets is None or target in targets.known:
            return ()
        if _raised_in_this_run(targets, target, seen.run):
            return ()
        p_value = targets.surprise()
        uses = sum(terms.uses for terms in seen.profile.targets.values())
        alpha = self._budget.novelty_alpha(seen.profile, uses)
        if p_value > alpha:
            return ()
        return (
            Finding(
                detector=self.name,
                subject=f"{seen.tool}\n{target}",
                episode=seen.run,
                observed=1.0,
                expected=p_value,
                unit=f"new targets per use of {seen.tool}",
                threshold=alpha,
                p_value=p_value,
                calibration="uncalibrated",
                severity=_SEVERITY[seen.effect],
                text=(
                    f"used {name(seen.tool)} on {name(target)}, which it never did in "
                    f"{targets.uses} uses on {len(targets.known)} targets"
                ),
                hold=Hold("target"),
            ),
        )


def _raised_in_this_run(terms: Vocabulary, term: str, run: str) -> bool:
    held = terms.held.get(term)
    return held is not None and held.last_run == run
