"""Loop: the same call over and over within one run."""

from collections.abc import Sequence
from typing import Final

from baselines.hold import Hold
from baselines.observation import Observation
from detectors.explain import amount, name
from detectors.finding import Finding, Severity

MIN_CALLS: Final = 5
"""Identical calls in a row below this are never a loop, whatever the past says."""

MIN_TURNS: Final = 15
"""The same where a few calls take turns, as parallel calls do; some work is of that kind."""
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
        streak, turns = seen.streak, seen.turns
        if turns < MIN_CALLS or seen.open_run.looping:
            return ()
        usual = seen.profile.work.repeats.usual
        threshold = max(MIN_CALLS - 1.0, USUAL_FACTOR * usual)
        if streak <= threshold:
            threshold = max(MIN_TURNS - 1.0, USUAL_FACTOR * usual)
            if turns <= threshold:
                return ()
            streak = turns
        how = "in a row" if streak == seen.streak else "taking turns with few others"
        target = f" on {name(seen.event.target)}" if seen.event.target else ""
        return (
            Finding(
                detector=self.name,
                subject=f"{seen.tool}\n{seen.event.target or ''}",
                episode=seen.run,
                observed=float(streak),
                expected=usual,
                unit="identical calls in a row",
                threshold=threshold,
                p_value=None,
                calibration="declared",
                severity=Severity.MEDIUM,
                text=(
                    f"called {name(seen.tool)}{target} {streak} times {how} with requests "
                    f"and answers of equal size; up to {amount(threshold)} would be ordinary"
                ),
                hold=Hold("streak"),
            ),
        )
