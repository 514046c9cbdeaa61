"""Spikes of rate, volume and refusals: more in this window than the agent's windows ever hold."""

from collections.abc import Sequence
from math import exp
from typing import Final

from baselines.hold import Hold
from baselines.profile import Observation, Profile
from baselines.window import (
    BYTES_IN,
    BYTES_OUT,
    CALLS,
    DENIALS,
    FAILURES,
    METRICS,
    OVERRIDES,
    UNITS,
    Window,
)
from detectors.explain import amount, span
from detectors.finding import Finding, Severity

_DETECTORS: Final = {
    CALLS: ("rate_spike", Severity.MEDIUM),
    BYTES_OUT: ("volume_spike", Severity.HIGH),
    BYTES_IN: ("volume_spike", Severity.HIGH),
    FAILURES: ("failure_spike", Severity.MEDIUM),
    DENIALS: ("denial_spike", Severity.HIGH),
    OVERRIDES: ("override_spike", Severity.HIGH),
}
"""By metric: the detector's name, and how bad a total just past its limit is."""

_EXTREME: Final = 10.0
"""So many times the limit is one step worse."""


class Spikes:
    """Alarms inside a window, the moment a total passes the limit that its past sets."""

    name = ", ".join(dict.fromkeys(name for name, _ in _DETECTORS.values()))

    def judge(self, seen: Observation) -> Sequence[Finding]:
        """The findings of one event, one per window and metric at most; notes their score."""
        if not seen.over_limit:
            return ()
        findings = []
        for number, window in enumerate(seen.profile.windows):
            for metric, total in enumerate(window.totals):
                if total > window.limits[metric]:
                    score, nats = window.score(metric)
                    seen.scores["level"] = max(score, seen.scores.get("level", 0.0))
                    if metric not in window.alarmed:
                        p_value = _p_value(seen.profile, score, nats)
                        findings.append(_finding(window, number, metric, p_value))
        return findings


def _p_value(profile: Profile, score: float, nats: float) -> float:
    """Share of the agent's hours that score as high; until calibrated, by the model."""
    return profile.tails["level"].p_value(score) if profile.hours.calibrated else exp(-nats)


def _finding(window: Window, number: int, metric: int, p_value: float) -> Finding:
    level, total, limit = window.levels[metric], window.totals[metric], window.limits[metric]
    expected = level.expected(window.cell)
    name, severity = _DETECTORS[metric]
    if total > _EXTREME * max(limit, 1.0):
        severity = Severity(severity + 1)
    length = span(window.length_s)
    unit = f"{UNITS[metric]} per {length}"
    usual, most, calibrated = amount(expected), amount(limit), window.calibrated
    evidence = [
        f"usual: {usual} {unit}, known from {level.windows:,} {length}s in which it acted",
        f"limit: {most}, {'from its own hours' if calibrated else 'an estimate, as it is new'}",
    ]
    if window.adds_up(metric):
        evidence.append(f"the {length}s before were above the usual, too: it adds up")
    return Finding(
        detector=name,
        subject=f"{METRICS[metric]}/{window.length_s}s",
        episode=f"window:{window.start_s:.0f}",
        observed=total,
        expected=expected,
        unit=unit,
        threshold=limit,
        p_value=p_value,
        calibration="calibrated" if calibrated else "uncalibrated",
        severity=severity,
        text=(
            f"{amount(total)} {unit} so far, where it usually has {usual} "
            f"and up to {most} would have been ordinary"
        ),
        hold=Hold("window", number, metric),
        evidence=tuple(evidence),
        history=(*level.recent, total),
    )
