"""Drift: the slow widening of what an agent does, and of how much, past what was approved.

Each step lies below every threshold, and what is used often enough becomes normal; the approved
profile does not move, so the sum of the steps shows.
"""

from collections.abc import Sequence
from typing import Final

from baselines.activity import DAY_S, WEEK_DAYS, Hourly
from baselines.conduct import MORE_BYTES, MORE_CALLS, WIDENED
from baselines.hold import Hold
from baselines.profile import Observation
from detectors.digest import Digest, approval, counted, day, digest, term
from detectors.explain import amount
from detectors.finding import Finding, Severity

LIMIT: Final = 0.2
"""One run in five does what nobody approved: that is another job than the approved one."""
LEVEL_FACTOR: Final = 2.0
"""Twice as much as was approved; less is within what a good week brings."""
AGAIN: Final = 2.0
"""It is said again once it has grown by this factor, and not within a week."""

_LEAST_RUNS: Final = 4
"""Fewer runs beyond the profile in a week are single events, which novelty judges."""
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
    """

    name = "drift"

    def __init__(self, limit: float = LIMIT, level_factor: float = LEVEL_FACTOR) -> None:
        self._limit = limit
        self._level_factor = level_factor

    def judge(self, seen: Observation) -> Sequence[Finding]:
        """The findings of one event, nearly always none."""
        conduct = seen.profile.conduct
        if seen.time_s < conduct.activity.hour_end_s or conduct.approved.at_s is None:
            return ()
        told = digest(seen.profile)
        return [
            finding
            for way, finding in (
                (WIDENED, self._widened(told)),
                (MORE_CALLS, self._busier(told, MORE_CALLS)),
                (MORE_BYTES, self._busier(told, MORE_BYTES)),
            )
            if finding is not None and _is_news(conduct.drifts[way], finding, seen.time_s)
        ]

    def _widened(self, told: Digest) -> Finding | None:
        runs, beyond = told.runs[-1], told.beyond_runs[-1]
        if beyond < _LEAST_RUNS or told.share <= self._limit:
            return None
        harmful = any(b.kind == "effect" and b.text in _HARMFUL for b in told.beyond)
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
            severity=Severity.HIGH if harmful else Severity.MEDIUM,
            text=(
                f"{beyond} of its {runs} runs in the last 7 days ({told.share:.0%}) did what lies "
                f"beyond its profile ({approval(told.approved_by, told.approved_at_s)}); "
                f"new are {counted(told.beyond)}"
            ),
            hold=Hold("drift", metric=WIDENED, value=told.share),
            evidence=tuple(term(beyond) for beyond in told.beyond[:_MAX_TERMS_TOLD]),
            history=told.shares,
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
