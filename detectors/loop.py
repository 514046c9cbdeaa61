"""Loop: the same call over and over within one run."""

from collections.abc import Sequence
from typing import Final

from baselines.hold import Hold
from baselines.profile import Observation
from detectors.explain import amount, name
from detectors.finding import Finding, Severity

MIN_CALLS: Final = 5
"""Identical calls in a row below this are never a loop, whatever the past says."""


USUAL_FACTOR: Final = 1.5
"""A streak this many times as long as the agent's streaks usually are is still ordinary."""


class Loop:
    """Alarms on a streak of identical calls, longer than the agent's streaks usually get.

    Five identical calls in a row are odd for any program that looks at the answers, so nothing
    need be learned first; an agent whose work is to poll is given its usual length.
    """

    name = "loop"

    def judge(self, seen: Observation) -> Sequence[Finding]:
        """The finding of one event, if any."""
        repeats = seen.profile.repeats
        if seen.streak < MIN_CALLS or repeats.alarmed(seen.run):
            return ()
        usual = repeats.usual
        threshold = max(MIN_CALLS - 1.0, USUAL_FACTOR * usual)
        if seen.streak <= threshold:
            return ()
        target = f" on {name(seen.event.target)}" if seen.event.target else ""
        return (
            Finding(
                detector=self.name,
                subject=f"{seen.tool}\n{seen.event.target or ''}",
                episode=seen.run,
                observed=float(seen.streak),
                expected=max(1.0, usual),
                unit="identical calls in a row",
                threshold=threshold,
                p_value=None,
                calibration="declared",
                severity=Severity.MEDIUM,
                text=(
                    f"called {name(seen.tool)}{target} {seen.streak} times in a row with requests "
                    f"and answers of equal size; up to {amount(threshold)} would be ordinary"
                ),
                hold=Hold("streak"),
            ),
        )
