"""A level: how large a quantity usually is per window, and how large is too large."""

from collections.abc import Callable
from functools import lru_cache
from math import expm1, inf, log1p, sqrt
from typing import Any, Final, Literal

from river.stats import EWMean
from scipy.special import stdtr, stdtrit

Scale = Literal["count", "bytes"]

FADING_FACTOR: Final = 0.04
"""Weight of the newest window; the past counts as about (2 - f) / f = 49 windows."""
MEMORY_WINDOWS: Final = (2 - FADING_FACTOR) / FADING_FACTOR
MIN_WINDOWS: Final = 8
"""Below this a level has no opinion."""
MAX_HELD: Final = 8
"""So many alarmed windows in a row, spread over long enough, are a new level."""

# On its scale a quantity's spread hardly depends on its size: the square root for counts
# (Anscombe 1948, Biometrika 35), the logarithm for volumes. `floor` is the least standard
# deviation believed: 0.5 is that of a Poisson count, 0.25 that of sizes that differ by a quarter.
_TO: Final[dict[Scale, Callable[[float], float]]] = {
    "count": lambda x: sqrt(x + 0.375),
    "bytes": log1p,
}
_FLOOR: Final[dict[Scale, float]] = {"count": 0.5, "bytes": 0.25}


def _back(scale: Scale, y: float) -> float:
    if scale == "count":
        return max(0.0, y * y - 0.375) if y > 0 else 0.0
    return expm1(min(y, 700.0)) if y > 0 else 0.0


@lru_cache(maxsize=4096)
def _t_quantile(windows: int, alpha: float) -> float:
    return float(stdtrit(windows - 1, 1 - alpha))


class Level:
    """Exponentially weighted mean and variance of a quantity per window, and a limit for the next.

    The limit is the upper end of a one-sided Student-t prediction interval on the variance-
    stabilised scale. It is computed when a window closes, so that judging an event is a compare.

    Parameters
    ----------
    scale
        `count` for how many, `bytes` for how much.
    alpha
        Share of ordinary windows that may lie above the limit.

    Attributes
    ----------
    limit
        In the quantity's own unit; infinite while learning.
    windows
        How many windows were learned.
    """

    __slots__ = ("_held", "_mean", "_mean_square", "alpha", "limit", "scale", "windows")

    def __init__(self, scale: Scale, alpha: float) -> None:
        self.scale = scale
        self.alpha = alpha
        self.windows = 0
        self.limit = inf
        self._mean = EWMean(FADING_FACTOR)
        self._mean_square = EWMean(FADING_FACTOR)
        self._held: list[tuple[float, float]] = []

    def learn(self, quantity: float) -> None:
        """Take in a closed window that raised no alarm."""
        self._held.clear()
        self._take(quantity)
        self._refresh()

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
        self._refresh()

    @property
    def expected(self) -> float:
        """The usual quantity per window; 0 before anything was learned."""
        return _back(self.scale, self._mean.get()) if self.windows else 0.0

    def p_value(self, quantity: float) -> float:
        """Share of windows that would be at least as large, if the past goes on."""
        if self.windows < MIN_WINDOWS:
            return 1.0
        t = (_TO[self.scale](quantity) - self._mean.get()) / self._spread()
        return float(stdtr(self._effective_windows() - 1, -t))

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
        level._held = [(quantity, time_s) for quantity, time_s in held]
        level._refresh()
        return level

    def _take(self, quantity: float) -> None:
        y = _TO[self.scale](quantity)
        self._mean.update(y)
        self._mean_square.update(y * y)
        self.windows += 1

    def _effective_windows(self) -> int:
        return min(self.windows, int(MEMORY_WINDOWS))

    def _spread(self) -> float:
        """Standard deviation of the next window about the mean, on the stabilised scale."""
        n = self._effective_windows()
        mean = self._mean.get()
        variance = max(0.0, self._mean_square.get() - mean * mean) * n / (n - 1)
        return max(sqrt(variance), _FLOOR[self.scale]) * sqrt(1 + 1 / n)

    def _refresh(self) -> None:
        if self.windows < MIN_WINDOWS:
            self.limit = inf
            return
        t = _t_quantile(self._effective_windows(), self.alpha)
        self.limit = _back(self.scale, self._mean.get() + t * self._spread())
