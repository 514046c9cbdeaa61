"""A cohort: what agents of one role in one shard do; a prior for those with little history."""

from typing import Any, Final

from baselines.runs import Run
from baselines.tail import Tail
from baselines.target import Target, chain
from baselines.together import Together
from baselines.vocabulary import Vocabulary

MAX_COHORTS: Final = 64
MAX_TOOLS: Final = 128
MAX_SIZE: Final = 2 << 20
"""Bytes of the kinds and groups of all tools together."""
GRAINS: Final = 2
"""Kinds and groups of targets are shared; which very target an agent uses is its own affair."""


class Cohort:
    """What the agents of one role have in common, from their runs that were not odd.

    Attributes
    ----------
    together
        Which tools go together in a run.
    young
        Scores of the runs of agents that are not calibrated yet: what a new agent is held to.
    changed
        Whether it learned something since it was last stored.
    """

    __slots__ = ("_places", "changed", "together", "young")

    def __init__(self) -> None:
        self.together = Together()
        self.young = Tail()
        self.changed = False
        self._places: dict[str, tuple[Vocabulary, ...]] = {}

    def group_p_value(self, tool: str, grain: int, target: Target) -> float | None:
        """How often the cohort uses the tool on so rare a kind or group; None where unknown."""
        places = self._places.get(tool)
        if places is None or grain >= GRAINS:
            return None
        return places[grain].p_value(target[grain])

    def learn(self, run: Run) -> None:
        """Learn a run that is over and was not odd."""
        self.changed = True
        terms: dict[tuple[Vocabulary, str], None] = {}  # each once a run, in order
        for tool, target, *_ in run.steps:
            if target is None:
                continue
            places = self._places.get(tool)
            if places is None:
                if len(self._places) >= MAX_TOOLS:
                    del self._places[min(self._places, key=self._uses)]
                places = self._places[tool] = tuple(Vocabulary() for _ in range(GRAINS))
            terms.update(dict.fromkeys(zip(places, chain(target), strict=False)))
        for vocabulary, term in terms:
            vocabulary.learn(term)
        while self._size() > MAX_SIZE:
            tables = [terms for grains in self._places.values() for terms in grains]
            max(tables, key=lambda terms: terms.size).halve()
        self.together.take(run.tools)

    def take_young(self, score: float, alpha: float, time_s: float) -> None:
        """Take in the score of a run of an agent that is not calibrated yet."""
        self.changed = True
        self.young.take(score, alpha, time_s)

    def _size(self) -> int:
        total = 0
        for kinds, groups in self._places.values():
            total += kinds.size + groups.size
        return total

    def _uses(self, tool: str) -> int:
        return self._places[tool][0].uses

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same cohort of it."""
        places = [
            [tool, [terms.dump() for terms in grains]] for tool, grains in self._places.items()
        ]
        return [self.together.dump(), self.young.dump(), places]

    @classmethod
    def load(cls, data: list[Any]) -> "Cohort":
        """Undo `dump`."""
        cohort = cls()
        together, young, places = data
        cohort.together, cohort.young = Together.load(together), Tail.load(young)
        cohort._places = {
            tool: tuple(Vocabulary.load(terms) for terms in grains) for tool, grains in places
        }
        return cohort


class Cohorts:
    """The cohorts of one shard, by role; saved with the shard's offset.

    Bounded: beyond `MAX_COHORTS` a further role has none, so that invented roles push none out.
    """

    __slots__ = ("_by_role",)

    def __init__(self) -> None:
        self._by_role: dict[str, Cohort] = {}

    def of(self, role: str | None) -> Cohort | None:
        """The cohort of a role; None without a role."""
        if role is None:
            return None
        cohort = self._by_role.get(role)
        if cohort is None and len(self._by_role) < MAX_COHORTS:
            cohort = self._by_role[role] = Cohort()
        return cohort

    def changed(self) -> list[tuple[str, Cohort]]:
        """Those that learned something since they were last `saved`, with their roles."""
        return [(role, cohort) for role, cohort in self._by_role.items() if cohort.changed]

    def saved(self) -> None:
        """Note that all that changed is stored."""
        for cohort in self._by_role.values():
            cohort.changed = False

    def admit(self, role: str, cohort: Cohort) -> None:
        """Take a stored cohort in."""
        self._by_role[role] = cohort
