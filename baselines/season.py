"""A season: by how much the hours of a day differ, on working days and at weekends."""

from array import array
from typing import Any, Final

CELLS: Final = 48
_LEAST_WEIGHT: Final = 0.1
"""Of the newest visit to an hour of the week; the first ones weigh more."""


class Season:
    """What to add to a level at each hour of the week; nothing where the agent never was.

    Twice 24 hours (UTC) and not 168, so that two weeks are enough to know them. An hour's first
    visits are not believed in full, and the first weekend is taken to be like the working days.
    """

    __slots__ = ("_offsets", "_visits")

    def __init__(self) -> None:
        self._offsets = array("f", bytes(4 * CELLS))
        self._visits = bytearray(CELLS)

    def offset(self, cell: int) -> float:
        """Of an hour of the week, as of `hour_cell`."""
        if cell >= 24 and not self._visits[cell]:
            cell -= 24
        return self._offsets[cell]

    def learn(self, residual: float, cell: int) -> None:
        """Move an hour of the week by what its level and this season did not explain."""
        visits = self._visits[cell]
        weight = max(_LEAST_WEIGHT, 1 / (visits + 1.5))
        self._offsets[cell] = self.offset(cell) + weight * residual
        self._visits[cell] = min(visits + 1, 255)

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same season of it."""
        return [self._offsets.tolist(), list(self._visits)]

    @classmethod
    def load(cls, data: list[Any]) -> "Season":
        """Undo `dump`."""
        season = cls()
        season._offsets, season._visits = array("f", data[0]), bytearray(data[1])
        if not len(season._offsets) == len(season._visits) == CELLS:
            raise ValueError("a season of another number of hours")
        return season


def hour_cell(time_s: float) -> int:
    """The hour of the day (UTC), 24 more on Saturdays and Sundays."""
    days, hour = divmod(int(time_s // 3600), 24)
    return hour + 24 * ((days + 3) % 7 >= 5)
