"""A sparkline: a row of numbers as a small plot in text, such as `▁▂▁▁█`."""

import math
from collections.abc import Sequence
from typing import Final

BARS: Final = "▁▂▃▄▅▆▇█"
GAP: Final = "·"
"""Stands for what is no number."""
WIDTH: Final = 24


def sparkline(history: Sequence[float], width: int = WIDTH) -> str:
    """Plot the newest values, one character each, from zero (or the least below it) upwards.

    Nothing at all is a row of lowest bars, always the same a row of middling ones, so that only
    what stands out looks like it. An infinite value is a full bar beside which others are low.

    Parameters
    ----------
    history
        Oldest first; of any length, any numbers.
    width
        Most characters; at least 1.

    Examples
    --------
    >>> sparkline([1, 2, 1, 1, 9]), sparkline([0, 0, 0]), sparkline([7, 7, 7])
    ('▂▃▂▂█', '▁▁▁', '▄▄▄')
    """
    shown = history[-width:]
    if len(set(shown)) == 1 and shown[0] and not math.isnan(shown[0]):
        return BARS[3] * len(shown)
    finite = [value for value in shown if math.isfinite(value)]
    low, high = min([0.0, *finite]), max([0.0, *finite])
    top = len(BARS) // 2 if any(map(math.isinf, shown)) else len(BARS) - 1
    return "".join(_bar(value, low, high, top) for value in shown)


def _bar(value: float, low: float, high: float, top: int) -> str:
    if math.isnan(value):
        return GAP
    if math.isinf(value):
        return BARS[-1] if value > 0 else BARS[0]
    # scaled before they are subtracted: the range of two huge numbers may be no number
    scale = max(abs(low), abs(high)) or 1.0
    width = high / scale - low / scale
    share = (value / scale - low / scale) / width if width else 0.0
    return BARS[round(share * top)]
