"""A level: how large a quantity usually is per window, and how large is too large."""

from functools import lru_cache
from math import expm1, inf, log1p, sqrt
from typing import Any, Final, Literal

from river.stats import EWMean
from scipy.special import stdtr, stdtrit

Scale = Literal["count", "bytes"]

FADING_FACTOR: Final = 0.04
"""Weight of the newest window; the past counts as about (2 - f) / f = 49 windows."""
MEMORY_WINDOWS: Final = int((2 - FADING_FACTOR) / FADING_FACTOR)
MIN_WINDOWS: Final = 8
"""Below this a level has no opinion."""
MAX_HELD: Final = 8
"""So many alarmed windows in a row, spread over long enough, are a new level."""

# On its scale a quantity's spread hardly depends on its size: the square root for counts
# (Anscombe 1948, Biometrika 35), the logarithm for volumes.
_ANSCOMBE: Final = 0.375
_LEAST_SPREAD: Final[dict[Scale, float]] = {"count": 0.5, "bytes": 0.25}
"""Less is not believed: the first is that of a Poisson count, the second a quarter of the size."""


def _to(scale: Scale, quantity: float) -> float:
    return sqrt(quantity + _ANSCOMBE) if scale == "count" else log1p(quantity)


def _back(scale: Scale, y: float) -> float:
    if y <= 0:
        return 0.0
    return max(0.0, y * y - _ANSCOMBE) if scale == "count" else expm1(min(y, 700.0))


@lru_cache(maxsize=4096)
def _reach(windows: int, alpha: float) -> float:
    """How many standard deviations above the mean a prediction interval of n windows ends."""
    return float(stdtrit(windows - 1, 1 - alpha)) * sqrt(1 + 1 / windows)


class Level:
    """Exponentially weighted mean and variance of a quantity per window, and a limit for the next.

    The limit is the upper end of a one-sided Student-t prediction interval on the variance-
    stabilised scale. It is computed once for a window, and only if a total passes `least_limit`.

    Parameters
    ----------
    scale
        `count` for how many, `bytes` for how much.
    alpha
        Share of ordinary windows that may lie above the limit.

    Attributes
    ----------
    least_limit
        Below this the limit never lies, whatever was learned: a bound that costs nothing.
    windows
        How many windows were learned.
    """

    __slots__ = (
        "_held",
        "_limit",
        "_mean",
        "_mean_square",
        "_reach",
        "alpha",
        "least_limit",
        "scale",
        "windows",
    )

    def __init__(self, scale: Scale, alpha: float) -> None:
        self.scale = scale
        self.alpha = alpha
        self.windows = 0
        self._mean = EWMean(FADING_FACTOR)
        self._mean_square = EWMean(FADING_FACTOR)
        self._limit: float | None = None  # not worked out yet
        self._set_reach()
        self._held: list[tuple[float, float]] = []

    def learn(self, quantity: float) -> None:
        """Take in a closed window that raised no alarm."""
        if self._held:
            self._held.clear()
        self._take(quantity)

    def hold(self, quantity: float, time_s: float, adopt_after_s: float) -> None:
        """Keep an alarmed window apart; adopt the new level once it has lasted long enough.

        Parameters
        ----------
        quantity
            Of the alarmed window.
        time_s
            Start of the window, in seconds since the epoch.
        adopt_after_s
            How long `MAX_HELD` consecutive alarmed windows must span to be the new normal.
        """
        self._held.append((quantity, time_s))
        if len(self._held) <= MAX_HELD:
            return
        if time_s - self._held[0][1] < adopt_after_s:
            del self._held[1]  # keep the first, for how long it has lasted, and the newest
            return
        held, self._held = self._held, []
        self._mean = EWMean(FADING_FACTOR)
        self._mean_square = EWMean(FADING_FACTOR)
        self.windows = 0
        for quantity, _ in held:
            self._take(quantity)

    @property
    def limit(self) -> float:
        """Above which a window is out of the ordinary; infinite while learning."""
        if self._limit is None:
            mean, n = self._mean.get(), min(self.windows, MEMORY_WINDOWS)
            self._limit = _back(self.scale, mean + self._reach * self._spread(mean, n))
        return self._limit

    @property
    def expected(self) -> float:
        """The usual quantity per window; 0 before anything was learned."""
        return _back(self.scale, self._mean.get()) if self.windows else 0.0

    def p_value(self, quantity: float) -> float:
        """Share of windows that would be at least as large, if the past goes on."""
        if self.windows < MIN_WINDOWS:
            return 1.0
        mean, n = self._mean.get(), min(self.windows, MEMORY_WINDOWS)
        deviation = (_to(self.scale, quantity) - mean) / self._spread(mean, n)
        return float(stdtr(n - 1, -deviation / sqrt(1 + 1 / n)))

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same level of it."""
        return [self.windows, self._mean.get(), self._mean_square.get(), self._held]

    @classmethod
    def load(cls, data: list[Any], scale: Scale, alpha: float) -> "Level":
        """Undo `dump`.

        River's first update sets an `EWMean` to the value itself, so its state can be given
        back without touching its internals.
        """
        level = cls(scale, alpha)
        level.windows, mean, mean_square, held = data
        if level.windows:
            level._mean.update(mean)
            level._mean_square.update(mean_square)
        level._set_reach()
        level._held = [(quantity, time_s) for quantity, time_s in held]
        return level

    def _take(self, quantity: float) -> None:
        y = _to(self.scale, quantity)
        self._mean.update(y)
        self._mean_square.update(y * y)
        self.windows += 1
        self._limit = None
        if self.windows <= MEMORY_WINDOWS:
            self._set_reach()

    def _set_reach(self) -> None:
        self._limit = None
        if self.windows < MIN_WINDOWS:
            self._reach = self.least_limit = self._limit = inf
            return
        self._reach = _reach(min(self.windows, MEMORY_WINDOWS), self.alpha)
        self.least_limit = _back(self.scale, self._reach * _LEAST_SPREAD[self.scale])

    def _spread(self, mean: float, n: int) -> float:
        """Standard deviation of a window on the scale, by the n that are remembered."""
        variance = (self._mean_square.get() - mean * mean) * n / (n - 1)
        least = _LEAST_SPREAD[self.scale]
        return sqrt(variance) if variance > least * least else least
