"""Drift: the slow widening of what an agent does, and of how much, past what was approved.

Each step lies below every threshold, and what is used often enough becomes normal; the approved
profile does not move, so the sum of the steps shows.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from baselines.activity import DAY_S, WEEK_DAYS, Hourly
from baselines.approved import MAX_COUNTED
from baselines.conduct import BROADER, MORE_BYTES, MORE_CALLS, WIDENED
from baselines.hold import Hold
from detectors.digest import Digest, approval, counted, day, digest, term
from detectors.explain import amount
from detectors.finding import Finding, Severity

if TYPE_CHECKING:  # settings take their defaults from here, and need not wait for River
    from baselines.observation import Observation

LIMIT: Final = 0.2
"""One run in five does what nobody approved: that is another job than the approved one."""
BREADTH: Final = 1.0
"""As many terms again as were approved: twice the job. Half as many come by themselves within
months, since the rare sides of a job are not seen in the week after which a profile is taken."""
LEVEL_FACTOR: Final = 2.0
"""Twice as much as was approved; less is within what a good week brings."""
AGAIN: Final = 2.0
"""It is said again once it has grown by this factor, and not within a week."""

_LEAST_RUNS: Final = 4
"""Fewer runs beyond the profile are single events, which surprise judges."""
_LEAST_TERMS: Final = 10
"""One new task brings as many: a tool or two, their groups of targets, a verb or an effect."""
_LEAST_ROOTS: Final = 1.0
"""On the square-root scale: two standard deviations of a Poisson count."""
_LEAST_BYTES: Final = 1000.0
_MAX_TERMS_TOLD: Final = 5
_HARMFUL: Final = ("external", "destructive")


class Drift:
    """Alarms once when the last week lies too far from the approved profile.

    Asked once per hour in which the agent acts, about the week before.

    Parameters
    ----------
    limit
        Share of the last week's runs that may go beyond the approved profile.
    level_factor
        How many times the approved calls, or bytes sent, per active hour are still the same job.
    breadth
        How many terms beyond the approved profile may be used, for each that is approved. Ten
        may be whatever is approved, and never as many as are counted.
    """

    name = "drift"

    def __init__(
        self, limit: float = LIMIT, level_factor: float = LEVEL_FACTOR, breadth: float = BREADTH
    ) -> None:
        self._limit = limit
        self._level_factor = level_factor
        self._breadth = breadth

    def judge(self, seen: "Observation") -> Sequence[Finding]:
        """The findings of one event, nearly always none."""
        conduct = seen.profile.conduct
        if seen.time_s < conduct.activity.hour_end_s or conduct.approved.at_s is None:
            return ()
        told = digest(seen.profile)

        def news(way: int, finding: Finding | None) -> list[Finding]:
            if finding is None or not _is_news(conduct.drifts[way], finding, seen.time_s):
                return []
            return [finding]

        return [
            *(news(WIDENED, self._widened(told)) or news(BROADER, self._broader(told))),
            *news(MORE_CALLS, self._busier(told, MORE_CALLS)),
            *news(MORE_BYTES, self._busier(told, MORE_BYTES)),
        ]

    def _widened(self, told: Digest) -> Finding | None:
        runs, beyond = told.runs[-1], told.beyond_runs[-1]
        if beyond < _LEAST_RUNS or told.share <= self._limit:
            return None
        return Finding(
            detector=self.name,
            subject="widened",
            episode=_episode(told, told.share),
            observed=told.share,
            expected=0.0,
            unit="of the week's runs beyond the approved profile",
            threshold=self._limit,
            p_value=None,
            calibration="declared",
            severity=_severity(told),
            text=(
                f"{beyond} of its {runs} runs in the last 7 days ({told.share:.0%}) did what lies "
                f"beyond its profile ({approval(told.approved_by, told.approved_at_s)}); "
                f"new are {counted(told.beyond)}"
            ),
            hold=Hold("drift", metric=WIDENED, value=told.share),
            evidence=_newest(told),
            history=told.shares,
        )

    def _broader(self, told: Digest) -> Finding | None:
        """A slow ramp in breadth: one new thing after another, in few of its runs."""
        limit = min(max(float(_LEAST_TERMS), self._breadth * told.terms), MAX_COUNTED - 1.0)
        if told.breadth <= limit or sum(told.beyond_runs) < _LEAST_RUNS:
            return None
        return Finding(
            detector=self.name,
            subject="broader",
            episode=_episode(told, told.breadth),
            observed=float(told.breadth),
            expected=0.0,
            unit="terms beyond the approved profile",
            threshold=limit,
            p_value=None,
            calibration="declared",
            severity=_severity(told),
            text=(
                f"one after another used {told.breadth} tools, verbs, effects and groups of "
                f"targets beyond the {told.terms} of its profile "
                f"({approval(told.approved_by, told.approved_at_s)}); "
                f"the newest are {counted(told.beyond)}"
            ),
            hold=Hold("drift", metric=BROADER, value=float(told.breadth)),
            evidence=_newest(told),
        )

    def _busier(self, told: Digest, way: int) -> Finding | None:
        then, now = told.then, told.now
        if then is None or now is None or told.approved_at_s is None:
            return None
        before, current, unit = _quantity(then, way), _quantity(now, way), _UNITS[way]
        if current <= self._level_factor * before or not _is_more(then, now, way):
            return None
        return Finding(
            detector=self.name,
            subject=unit,
            episode=_episode(told, current / max(before, 1.0)),
            observed=current,
            expected=before,
            unit=unit,
            threshold=self._level_factor * before,
            p_value=None,
            calibration="declared",
            severity=Severity.MEDIUM,
            text=(
                f"grew slowly to {amount(current)} {unit}, where {amount(before)} were usual when "
                f"its profile was taken ({approval(told.approved_by, told.approved_at_s)}); "
                f"no single hour was odd"
            ),
            hold=Hold("drift", metric=way, value=current),
            evidence=(
                f"around {day(told.approved_at_s)}, in {then.hours} active hours: {amount(before)}",
                f"in the last 7 days, in {now.hours} active hours: {amount(current)}",
            ),
        )


def _severity(told: Digest) -> Severity:
    """New ways out, or to destroy, are worse."""
    harmful = any(b.kind == "effect" and b.text in _HARMFUL for b in told.beyond)
    return Severity.HIGH if harmful else Severity.MEDIUM


def _newest(told: Digest) -> tuple[str, ...]:
    return tuple(term(beyond) for beyond in told.beyond[:_MAX_TERMS_TOLD])


_UNITS: Final = {MORE_CALLS: "calls per active hour", MORE_BYTES: "bytes out per active hour"}


def _quantity(hourly: Hourly, way: int) -> float:
    return hourly.calls if way == MORE_CALLS else hourly.bytes_out


def _is_more(then: Hourly, now: Hourly, way: int) -> bool:
    """Whether the difference is one, on the scale on which a quantity's spread is the same."""
    if way == MORE_CALLS:
        return now.calls_root - then.calls_root >= _LEAST_ROOTS
    return now.bytes_out - then.bytes_out >= _LEAST_BYTES


def _is_news(raised: tuple[float, float], finding: Finding, time_s: float) -> bool:
    far, at_s = raised
    if far <= 0:
        return True
    return finding.observed >= AGAIN * far and time_s - at_s >= WEEK_DAYS * DAY_S


def _episode(told: Digest, far: float) -> str:
    """One story for each approval and each doubling."""
    at_s = 0.0 if told.approved_at_s is None else told.approved_at_s
    return f"approved:{at_s:.0f}/{far:.3f}"
