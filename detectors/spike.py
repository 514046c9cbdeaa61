"""Rate, volume and failure spikes: more in this window than the agent's windows ever hold."""

from collections.abc import Sequence
from typing import Final

from baselines.profile import Hold, Observation
from baselines.window import BYTES_IN, BYTES_OUT, CALLS, FAILURES, METRICS, UNITS, Window
from detectors.explain import amount, span
from detectors.finding import Finding, Severity

_EXTREME: Final = 10.0
"""So many times the limit is worse than a spike."""


class Spike:
    """Alarms inside a window, the moment a total passes the limit that its past sets.

    Parameters
    ----------
    name
        Of the detector.
    metrics
        Indices into `baselines.window.METRICS`.
    severity
        Of a total just past its limit; one step worse from ten times the limit on.
    """

    def __init__(self, name: str, metrics: Sequence[int], severity: Severity) -> None:
        self.name = name
        self.severity = severity
        self._metrics = tuple(metrics)

    def judge(self, seen: Observation) -> Sequence[Finding]:
        """The findings of one event, one per window and metric at most."""
        found: list[Finding] | None = None
        for number, window in enumerate(seen.profile.windows):
            totals, levels = window.totals, window.levels
            for metric in self._metrics:
                if totals[metric] > levels[metric].limit and metric not in window.alarmed:
                    found = found or []
                    found.append(self._finding(window, number, metric))
        return found or ()

    def _finding(self, window: Window, number: int, metric: int) -> Finding:
        level, total = window.levels[metric], window.totals[metric]
        worse = total > _EXTREME * max(level.limit, 1.0)
        unit = f"{UNITS[metric]} per {span(window.length_s)}"
        return Finding(
            detector=self.name,
            subject=f"{METRICS[metric]}/{window.length_s}s",
            episode=f"window:{window.start_s:.0f}",
            observed=total,
            expected=level.expected,
            unit=unit,
            threshold=level.limit,
            p_value=level.p_value(total),
            calibration="uncalibrated",
            severity=min(Severity.CRITICAL, Severity(self.severity + worse)),
            text=(
                f"{amount(total)} {unit} so far, where it usually has {amount(level.expected)} "
                f"and up to {amount(level.limit)} would have been ordinary"
            ),
            hold=Hold("window", number, metric),
        )


def spikes() -> tuple[Spike, ...]:
    """The three detectors over levels."""
    return (
        Spike("rate_spike", (CALLS,), Severity.MEDIUM),
        Spike("volume_spike", (BYTES_OUT, BYTES_IN), Severity.HIGH),
        Spike("failure_spike", (FAILURES,), Severity.MEDIUM),
    )
