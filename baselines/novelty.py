"""Novelty: how often an agent's work of one sort brings something new, lately."""

from typing import Any, Final

GRAINS: Final = 3
"""Kind, group, text: at which of them a target is new."""
_HALF_LIFE_STEPS: Final = 300
_KEPT: Final = 0.5 ** (1 / _HALF_LIFE_STEPS)
_LEAST: Final = 1e-9
"""However long nothing new came, it is not impossible."""


class Novelty:
    """Decayed shares of steps that were new, by the coarsest grain at which they were.

    Where new things turn up all day a further one is dull; where they never do it is not.
    """

    __slots__ = ("_new", "_steps")

    def __init__(self) -> None:
        self._steps = 2.0
        self._new = [1.0] * GRAINS

    @property
    def steps(self) -> float:
        """How many steps of this sort there were, the past fading."""
        return self._steps

    def share(self, grain: int) -> float:
        """Of steps of this sort, the share that was new at the grain."""
        return max(_LEAST, self._new[grain]) / self._steps

    def take(self, grain: int | None) -> None:
        """Count one step; None: nothing about it was new."""
        self._steps = self._steps * _KEPT + 1.0
        new = self._new
        new[0] *= _KEPT
        new[1] *= _KEPT
        new[2] *= _KEPT
        if grain is not None:
            new[grain] += 1.0

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same of it."""
        return [self._steps, *self._new]

    @classmethod
    def load(cls, data: list[Any]) -> "Novelty":
        """Undo `dump`."""
        novelty = cls()
        novelty._steps, *novelty._new = data
        return novelty
