"""A level: how large a quantity usually is per window, and how surprising a larger one is."""

from array import array
from math import inf, log, sqrt
from typing import Any, Final

from river.stats import EWMean

from baselines.mean import mean_at
from baselines.scale import Scale, back, believed, least_spread, to
from baselines.season import Season
from baselines.streak import lengthen, lengthens_to
from baselines.student import reach, surprise

FADING_FACTOR: Final = 0.04
"""Weight of the newest window; the past counts as about (2 - f) / f = 49 windows."""
MEMORY_WINDOWS: Final = int((2 - FADING_FACTOR) / FADING_FACTOR)
SHARE_FADING: Final = 0.005
"""The same for the share of windows that have any: rare things need a longer memory."""
MIN_WINDOWS: Final = 8
"""Below this a level has no opinion."""
MAX_HELD: Final = 8
"""So many alarmed windows in a row, spread over long enough, are a new level."""
HISTORY: Final = 8
"""So many closed windows are shown beside an alarmed one."""

_LEAST_NATS: Final = 1.0
"""A total that is no more surprising than this among the nonzero ones never alarms."""


class Level:
    """How often a quantity occurs in a window at all, and how much of it there is when it does.

    The nonzero windows have an exponentially weighted mean and variance on a scale that evens
    their spread out, about a season of the hour of the day on working days and at weekends
    (Holt-Winters, additive). A total is as surprising as the share of windows that have any,
    times the Student-t tail beyond it. Surprises of consecutive windows add up, too (`streak`).

    Parameters
    ----------
    scale
        `count` for how many, `bytes` for how much.
    seasonal
        Whether the hour of the week is looked at.
    lag
        So many windows wait until they are learned: too much for hours must not be usual by the
        time at which it adds up. The first windows are learned at once.

    Attributes
    ----------
    windows
        How many windows were learned, and
    nonzero
        how many of them had any.
    usual
        The middle of the nonzero windows; 0 while they are few, infinite while learning.
    run
        Log of the e-detector, in nats: how odd the windows up to now are together.
    """

    __slots__ = (
        "_center",
        "_held",
        "_known",
        "_late",
        "_mean",
        "_recent",
        "_season",
        "_share",
        "_variance",
        "lag",
        "nonzero",
        "run",
        "scale",
        "seasonal",
        "usual",
        "windows",
    )

    def __init__(self, scale: Scale, seasonal: bool = False, lag: int = 0) -> None:
        self.scale: Scale = scale
        self.seasonal = seasonal
        self.lag = lag
        self.windows = self.nonzero = 0
        self.run = 0.0
        self._share = 0.0
        # Most metrics of most agents are always zero: nothing more is kept of them.
        self._mean: EWMean | None = None
        self._center = self._variance = 0.0
        self._known: tuple[float, float, int] | None = None
        self.usual = inf
        self._season: Season | None = None
        self._recent: array[float] | None = None
        self._held: list[tuple[float, float]] | None = None
        self._late: array[float] | None = None  # each quantity with its cell

    def surprise(self, quantity: float, cell: int) -> float:
        """How surprising a total is, -ln p, in nats; 0 while learning and up to the usual."""
        if quantity <= 0 or self.windows < MIN_WINDOWS:
            return 0.0
        rarity = -log(self._chance) if self._share < 1 else 0.0
        if quantity <= self.usual and self._season is None:
            return rarity
        mean, spread, windows = self._known or self._know()
        deviation = (to(self.scale, quantity) - mean - self._offset(cell)) / spread
        return rarity + (surprise(deviation, windows) if deviation > 0 else 0.0)

    def run_with(self, nats: float) -> float:
        """What the run would be if the open window closed with this surprise."""
        return lengthen(self.run, nats)

    def limit(self, cell: int, nats: float, run_nats: float) -> float:
        """Above which a total is out of the ordinary; infinite while learning.

        Parameters
        ----------
        cell
            The hour of the week.
        nats, run_nats
            How surprising a single window and a run of them may be.
        """
        if self.windows < MIN_WINDOWS:
            return inf
        left = min(nats, lengthens_to(self.run, run_nats)) + (
            log(self._chance) if self._share < 1 else 0.0
        )
        mean, spread, windows = self._known or self._know()
        far = reach(max(_LEAST_NATS, left), windows) * spread
        return back(self.scale, mean + self._offset(cell) + far)

    def least_limit(self, cell: int) -> float:
        """What the limit never lies below, whatever is allowed; costs next to nothing."""
        if self._season is None or self.windows < MIN_WINDOWS:
            return self.usual
        mean, _, _ = self._known or self._know()
        return back(self.scale, mean + self._offset(cell))

    def expected(self, cell: int) -> float:
        """The usual quantity at an hour of the week; 0 before anything was learned."""
        if not self.nonzero:
            return 0.0
        mean, _, _ = self._known or self._know()
        return self._share * back(self.scale, mean + self._offset(cell))

    @property
    def recent(self) -> tuple[float, ...]:
        """The totals of the last closed windows, oldest first."""
        return tuple(self._recent or (0.0,) * min(self.windows, HISTORY))

    def learn(self, quantity: float, cell: int) -> None:
        """Take in a closed window that raised no alarm; it counts once `lag` more were, too."""
        if not quantity and self._recent is None:  # there never was any
            self.windows += 1
            if self.windows == MIN_WINDOWS:
                self.usual = 0.0
            return
        self._held = None
        self._show(quantity)
        if not self.lag or self.windows < self.lag:
            self._take(quantity, cell)
            return
        late = self._late = self._late or array("d")
        late.extend((quantity, cell))
        if len(late) > 2 * self.lag:
            quantity, cell = late[0], int(late[1])
            del late[:2]
            self._take(quantity, cell)

    def hold(self, quantity: float, cell: int, time_s: float, adopt_after_s: float) -> None:
        """Keep an alarmed window apart; adopt the new level once it has lasted long enough.

        Parameters
        ----------
        quantity
            Of the alarmed window.
        cell
            The hour of the week.
        time_s
            Start of the window, in seconds since the epoch.
        adopt_after_s
            How long `MAX_HELD` consecutive alarmed windows must span to be the new normal.
        """
        self._show(quantity)
        self.run = 0.0
        held = self._held = self._held or []
        held.append((quantity, time_s))
        if len(held) <= MAX_HELD:
            return
        if time_s - held[0][1] < adopt_after_s:
            del held[1]  # keep the first, for how long it has lasted, and the newest
            return
        self._begin_anew([quantity for quantity, _ in held], cell)

    def adopt(self, quantity: float, cell: int) -> None:
        """A person says that so much is usual; what was held and is more, is so, too."""
        quantity = max([quantity, *(held for held, _ in self._held or ())])
        self.run = 0.0
        self._begin_anew([quantity] * (MAX_HELD + 1), cell)

    def _begin_anew(self, quantities: list[float], cell: int) -> None:
        """Forget what was usual; these windows are all that is known."""
        self._held = self._late = self._mean = self._season = self._known = None
        self._center = self._variance = 0.0
        self.windows = self.nonzero = 0
        self.usual = inf
        for quantity in quantities:
            self._take(quantity, cell)

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same level of it."""
        mean = self._mean and self._center
        late = self._late and [
            [quantity, int(cell)]
            for quantity, cell in zip(self._late[::2], self._late[1::2], strict=True)
        ]
        season = self._season and self._season.dump()
        recent = self._recent and self._recent.tolist()
        counts = [self.windows, self.nonzero, self._share, self.run, self._variance]
        return [*counts, mean, season, recent, self._held, late]

    @classmethod
    def load(cls, data: list[Any], scale: Scale, seasonal: bool = False, lag: int = 0) -> "Level":
        """Undo `dump`."""
        level = cls(scale, seasonal, lag)
        level.windows, level.nonzero, level._share, level.run, *data = data
        level._variance, mean, season, recent, held, late = data
        if mean is not None:
            weight = max(FADING_FACTOR, 1 / level.nonzero)
            level._mean, level._center = mean_at(mean, weight), mean
        level._season = season and Season.load(season)
        level._recent = recent and array("d", recent)
        level._held = held and [(quantity, time_s) for quantity, time_s in held]
        level._late = late and array("d", [one for pair in late for one in pair])
        level._set_usual()
        return level

    def _take(self, quantity: float, cell: int) -> None:
        self.windows += 1
        if quantity <= 0:
            self._share -= max(SHARE_FADING, 1 / self.windows) * self._share
        else:
            if self._share < 1:
                self._share += max(SHARE_FADING, 1 / self.windows) * (1 - self._share)
            self._take_size(to(self.scale, quantity), cell)
        self._set_usual()

    def _take_size(self, y: float, cell: int) -> None:
        """Follow the mean, and the variance about it (West 1979, Communications of the ACM 22)."""
        self.nonzero = count = self.nonzero + 1
        self._known = None
        if self._season is not None:
            y -= self._season.offset(cell)
        mean, off, weight = self._mean, y - self._center, FADING_FACTOR
        if mean is None or count * weight <= 1:
            weight = 1 / count  # the first values weigh alike
            mean = self._mean = mean_at(self._center if count > 1 else y, weight)
        if self.seasonal and count > MIN_WINDOWS:
            self._season = self._season or Season()
            self._season.learn(off, cell)
        mean.update(y)
        self._center = mean.get()
        self._variance = (1 - weight) * (self._variance + weight * off * off)

    def _set_usual(self) -> None:
        if self.windows >= MIN_WINDOWS:
            self.usual = back(self.scale, self._center) if self.nonzero >= MIN_WINDOWS else 0.0

    def _show(self, quantity: float) -> None:
        """Remember a total for the plot, from the first that is not 0."""
        recent = self._recent
        if recent is None:
            if not quantity:
                return
            recent = self._recent = array("d", bytes(8 * min(self.windows, HISTORY - 1)))
        recent.append(quantity)
        if len(recent) > HISTORY:
            del recent[0]

    @property
    def _chance(self) -> float:
        """Of a window to have any; not believed to be rarer than was looked for."""
        looked = min(self.windows, 2 / SHARE_FADING)
        return min(1.0, max(self._share, 0.5 / (looked + 1)))

    def _offset(self, cell: int) -> float:
        return self._season.offset(cell) if self._season else 0.0

    def _know(self) -> tuple[float, float, int]:
        """Mean and spread of a nonzero window on the scale, and how many they are known from."""
        few = min(1.0, self.nonzero / MIN_WINDOWS)
        mean, variance = believed(self.scale, self._center, self._variance, few)
        windows = max(MIN_WINDOWS, min(self.nonzero, MEMORY_WINDOWS))
        spread = sqrt(variance * windows / (windows - 1))
        self._known = mean, max(spread, least_spread(self.scale, mean)), windows
        return self._known
