"""Rhythm: the agent acts at an hour of the week at which it never acts."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import exp
from typing import Final

from baselines.hold import Hold
from baselines.profile import Observation, Profile
from baselines.rhythm import HOUR_S, WEEK_S
from detectors.explain import amount
from detectors.finding import Finding, Severity

MIN_NATS: Final = 4.0
"""An hour of the week in which it acts in more than 2 % of weeks is never odd."""
_QUIET: Final = 0.05
"""Hours with less than this are told as those at which it does not act."""


class OffHours:
    """Alarms on the first action in an hour that the agent's rhythm leaves out."""

    name = "rhythm"

    def judge(self, seen: Observation) -> Sequence[Finding]:
        """The finding of one event, if any."""
        profile, time_s = seen.profile, seen.time_s
        rhythm = profile.rhythm
        if time_s < rhythm.end_s:
            return ()
        score = seen.scores["rhythm"] = rhythm.surprise(time_s)
        tail = profile.tails["rhythm"]
        if score < MIN_NATS or not tail.calibrated:
            return ()
        usually = profile.rules.alpha("rhythm", rhythm.hours_per_week)
        alpha = profile.alarming(usually, time_s)
        if not tail.reaches(score, alpha):
            return ()
        limit = max(MIN_NATS, tail.limit(alpha))
        start_s = time_s // HOUR_S * HOUR_S
        when = datetime.fromtimestamp(time_s, UTC)
        p_active = exp(-score)
        return (
            Finding(
                detector=self.name,
                subject=f"{when:%A %H}:00",
                episode=f"window:{start_s:.0f}",
                observed=1.0,
                expected=p_active,
                unit=f"active hours per {when:%A} {when:%H}:00 UTC",
                threshold=exp(-limit),
                p_value=tail.p_value(score),
                calibration="calibrated",
                severity=Severity.MEDIUM,
                text=f"acted on {when:%A %H:%M} UTC; {_never(profile, time_s)}",
                hold=Hold("hour"),
                evidence=(
                    f"at this hour of the week it acts in {amount(100 * p_active)} % of weeks",
                    f"up from {amount(100 * exp(-limit))} % it would have been ordinary",
                ),
                history=(*rhythm.usual(time_s)[:-1], 1.0),
            ),
        )


def _never(profile: Profile, time_s: float) -> str:
    """Between which hours it does not act, around this one."""
    rhythm = profile.rhythm
    hour, first, end = int(time_s // HOUR_S), 0, 1
    while first > -23 and rhythm.p_active((hour + first - 1) * HOUR_S) < _QUIET:
        first -= 1
    while end - first < 24 and rhythm.p_active((hour + end) * HOUR_S) < _QUIET:
        end += 1
    weeks = max(1, round((time_s - profile.first_seen_s) / WEEK_S))
    told = f"in {weeks} week{'s' * (weeks > 1)} it hardly ever acted "
    if end - first >= 24:
        return told + "around that day"
    return told + f"between {(hour + first) % 24:02}:00 and {(hour + end) % 24:02}:00"
