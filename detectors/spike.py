"""Rate, volume and failure spikes: more in this window than the agent's windows ever hold."""

from collections.abc import Sequence
from typing import Final

from baselines.hold import Hold
from baselines.profile import Observation
from baselines.window import BYTES_IN, BYTES_OUT, CALLS, FAILURES, METRICS, UNITS, Window
from detectors.explain import amount, span
from detectors.finding import Finding, Severity

_DETECTORS: Final = {
    CALLS: ("rate_spike", Severity.MEDIUM),
    BYTES_OUT: ("volume_spike", Severity.HIGH),
    BYTES_IN: ("volume_spike", Severity.HIGH),
    FAILURES: ("failure_spike", Severity.MEDIUM),
}
"""By metric: the detector's name, and how bad a total just past its limit is."""

_EXTREME: Final = 10.0
"""So many times the limit is one step worse."""


class Spikes:
    """Alarms inside a window, the moment a total passes the limit that its past sets."""

    def judge(self, seen: Observation) -> Sequence[Finding]:
        """The findings of one event, one per window and metric at most."""
        if not seen.over_limit:
            return ()
        return [
            _finding(window, number, metric)
            for number, window in enumerate(seen.profile.windows)
            for metric in _DETECTORS
            if window.totals[metric] > window.limits[metric] and metric not in window.alarmed
        ]


def _finding(window: Window, number: int, metric: int) -> Finding:
    level, total, limit = window.levels[metric], window.totals[metric], window.limits[metric]
    name, severity = _DETECTORS[metric]
    if total > _EXTREME * max(limit, 1.0):
        severity = Severity(severity + 1)
    unit = f"{UNITS[metric]} per {span(window.length_s)}"
    return Finding(
        detector=name,
        subject=f"{METRICS[metric]}/{window.length_s}s",
        episode=f"window:{window.start_s:.0f}",
        observed=total,
        expected=level.expected,
        unit=unit,
        threshold=limit,
        p_value=level.p_value(total),
        calibration="uncalibrated",
        severity=severity,
        text=(
            f"{amount(total)} {unit} so far, where it usually has {amount(level.expected)} "
            f"and up to {amount(limit)} would have been ordinary"
        ),
        hold=Hold("window", number, metric),
    )
