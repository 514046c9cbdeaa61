"""A scale: on which a quantity's spread hardly depends on its size."""

from math import expm1, log, log1p, sqrt
from typing import Final, Literal

Scale = Literal["count", "bytes"]
"""The square root for counts (Anscombe 1948, Biometrika 35), the logarithm for volumes."""

_ANSCOMBE: Final = 0.375
_MOST_LOG: Final = 700.0
_LEAST_SPREAD: Final[dict[Scale, float]] = {"count": 0.5, "bytes": 0.25}
"""Less is not believed: the first is that of a Poisson count, the second a quarter of the size."""
_LEAST_SHARE: Final[dict[Scale, float]] = {"count": 0.05, "bytes": 0.0}
"""Nor less than this part of the mean: nobody's rate is steadier than to a tenth."""
_PRIOR: Final[dict[Scale, tuple[float, float]]] = {
    "count": (sqrt(1 + _ANSCOMBE), 0.0),
    "bytes": (log1p(1000.0), log(10.0)),
}
"""Mean and spread of what was not seen yet: a single call; a kilobyte, give or take a digit."""


def to(scale: Scale, quantity: float) -> float:
    """Where a quantity lies on the scale."""
    return sqrt(quantity + _ANSCOMBE) if scale == "count" else log1p(quantity)


def back(scale: Scale, y: float) -> float:
    """The quantity that lies there; none below 0.

    Examples
    --------
    >>> round(back("count", to("count", 7.0)), 9), round(back("bytes", to("bytes", 7.0)), 9)
    (7.0, 7.0)
    """
    if y <= 0:
        return 0.0
    return max(0.0, y * y - _ANSCOMBE) if scale == "count" else expm1(min(y, _MOST_LOG))


def believed(scale: Scale, mean: float, variance: float, weight: float) -> tuple[float, float]:
    """Mean and variance of which part is known and the rest is as of what was not seen yet.

    Parameters
    ----------
    scale
        On which they are.
    mean, variance
        What was seen.
    weight
        The part that is known, 0 to 1.
    """
    if weight >= 1:
        return mean, variance
    prior_mean, prior_spread = _PRIOR[scale]
    apart = (1 - weight) * (prior_spread**2 + weight * (mean - prior_mean) ** 2)
    return weight * mean + (1 - weight) * prior_mean, weight * variance + apart


def least_spread(scale: Scale, mean: float) -> float:
    """No spread about a mean is believed to be smaller."""
    return max(_LEAST_SPREAD[scale], _LEAST_SHARE[scale] * mean)
