"""Student's t in nats: how surprising a deviation is, and how far off so many nats are."""

from functools import lru_cache
from math import erfc, exp, expm1, inf, log, log1p, pi, sqrt
from statistics import NormalDist
from typing import Final

_NORMAL: Final = NormalDist()
_UNDERFLOWS: Final = 30.0
"""So many standard deviations out, a normal tail is hardly told from 0; it is put in a formula."""
MAX_NATS: Final = 600.0


def _factor(freedom: int) -> float:
    return (8 * freedom + 1) / (8 * freedom + 3)


def surprise(deviation: float, windows: int) -> float:
    """How surprising the next value is, -ln P(as far above the mean or farther), in nats.

    By Wallace's closed form (1959, Annals of Mathematical Statistics 30), which turns t into a
    normal deviate: a window closes too often for an incomplete beta function.

    Parameters
    ----------
    deviation
        From the mean, in standard deviations of a single value, both estimated from the past.
    windows
        How many values they were estimated from; at least 8.

    Examples
    --------
    >>> round(surprise(0.0, 50), 3), round(surprise(3.0, 50), 2), round(surprise(3.0, 8), 2)
    (0.693, 6.08, 4.36)
    """
    freedom = windows - 1
    square = deviation * deviation / (1 + 1 / windows)
    z = _factor(freedom) * sqrt(freedom * log1p(square / freedom))
    if deviation < 0:
        return -log1p(-erfc(z / sqrt(2)) / 2)
    if z > _UNDERFLOWS:
        return min(MAX_NATS, z * z / 2 + log(z * sqrt(2 * pi)))
    return -log(erfc(z / sqrt(2)) / 2)


@lru_cache(maxsize=4096)
def reach(nats: float, windows: int) -> float:
    """The deviation that is so surprising: the inverse of `surprise`.

    Examples
    --------
    >>> round(surprise(reach(12.5, 49), 49), 6)
    12.5
    """
    if nats >= MAX_NATS:
        return inf
    freedom = windows - 1
    z = -_NORMAL.inv_cdf(exp(-nats)) / _factor(freedom)
    t = sqrt(freedom * expm1(z * z / freedom))
    return (t if z >= 0 else -t) * sqrt(1 + 1 / windows)
