"""An anomaly in people's words: numbers, names, how rare it is and what would have been ordinary.

What comes from an event is quoted and cut here, and still hostile: receivers escape it.
"""

import math
from typing import Final

from detectors.finding import Anomaly

_MAX_NAME_CHARS: Final = 120
_RAREST: Final = 1e-6
"""No past is long enough to tell apart what is rarer than this."""

_ENDLESS: Final = 1e300
"""An anomaly keeps the largest number in place of an infinite one."""

_EPISODES: Final = {
    "rate_spike": "hours",
    "volume_spike": "hours",
    "failure_spike": "hours",
    "denial_spike": "hours",
    "override_spike": "hours",
    "rhythm": "hours",
    "silence": "hours",
}
"""By detector: what its p-value is a share of; any other is asked once a run."""

_WAITS: Final = {
    "run": "the steps of its run, {done} among them",
    "window": "how much there was of it ({unit})",
    "streak": "so long a row of identical calls",
    "hour": "that it acts at this hour",
    "drift": "what lies beyond its approved profile",
    "grant": "for how long it holds such a grant",
    "grants": "so many scopes at once",
}
"""By what a hold is about: the thing that is not learned."""


def amount(value: float) -> str:
    """A quantity to three significant digits: 0.25, 1.2 k, 34 M.

    Examples
    --------
    >>> amount(3), amount(0.125), amount(1234), amount(25_600_000)
    ('3', '0.125', '1.23 k', '25.6 M')
    """
    for size, suffix in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g}"


def figure(value: float) -> str:
    """Whole numbers whole, others to four digits; huge ones in powers of ten, tiny ones as 0.

    Examples
    --------
    >>> figure(12_345_678), figure(0.123456), figure(3e18), figure(math.inf)
    ('12,345,678', '0.1235', '3.000e+18', 'inf')
    >>> figure(0.00007187), figure(3e-9)
    ('0.000072', '0')
    """
    if not abs(value) < _ENDLESS:
        return str(math.copysign(math.inf, value)) if abs(value) >= _ENDLESS else "nan"
    if abs(value) >= 1e15:
        return f"{value:.3e}"
    if abs(value) < 1e-3:
        return f"{round(value, 6) + 0.0:.6f}".rstrip("0").rstrip(".")
    return f"{value + 0.0:,.0f}" if value == int(value) or abs(value) >= 1e4 else f"{value:.4g}"


def span(window_s: int) -> str:
    """A window's length in words.

    Examples
    --------
    >>> span(60), span(3600)
    ('minute', 'hour')
    """
    return {60: "minute", 3600: "hour"}.get(window_s, f"{window_s} s")


def lasting(seconds: float) -> str:
    """A time in words, to two units.

    Examples
    --------
    >>> lasting(42), lasting(450), lasting(4 * 3600 + 100), lasting(200_000)
    ('42 s', '8 min', '4 h 2 min', '2 d 7 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def name(text: str | None) -> str:
    """A name from an event, quoted and cut; still hostile, receivers escape it."""
    text = text or ""
    return f"“{text[:_MAX_NAME_CHARS]}…”" if len(text) > _MAX_NAME_CHARS else f"“{text}”"


def one_in(p_value: float, episodes: str = "") -> str:
    """A p-value in words, to two digits.

    Examples
    --------
    >>> one_in(0.0004), one_in(1 / 12345, "runs"), one_in(1e-30, "hours")
    ('about one in 2,500', 'about one in 12,000 runs', 'less than one in 1,000,000 hours')
    """
    of = f" {episodes}" if episodes else ""
    if not p_value > _RAREST:
        return f"less than one in {1 / _RAREST:,.0f}{of}"
    odds = 1 / p_value
    digits = 1 - math.floor(math.log10(odds))
    return f"about one in {max(1, int(round(odds, digits))):,}{of}"


def chance(anomaly: Anomaly) -> str:
    """How rare it is, and how far that is to be trusted."""
    if anomaly.calibration == "declared" or anomaly.p_value is None:
        return "a fixed rule: nothing of it is by chance"
    if anomaly.calibration == "uncalibrated":
        return f"{one_in(anomaly.p_value)}, by an estimate that is not calibrated"
    by_default = "runs" if anomaly.trace_id else "hours"
    return one_in(anomaly.p_value, _EPISODES.get(anomaly.detector, by_default))


def ordinary(anomaly: Anomaly) -> str:
    """What would not have fired."""
    if anomaly.threshold >= _ENDLESS:
        return "no limit is known"
    if anomaly.threshold <= 0:
        return "none of it"
    return f"up to {figure(anomaly.threshold)} {anomaly.unit}"


def not_learned(anomaly: Anomaly) -> str | None:
    """What is kept out of the agent's normal because of it; None if nothing is."""
    if anomaly.held is None:
        return None
    what = _WAITS.get(anomaly.held, f"its {anomaly.held}")
    tool = name(anomaly.tool or anomaly.action)
    done = f"{tool} on {name(anomaly.target)}" if anomaly.target else tool
    return what.format(done=done, unit=anomaly.unit)
