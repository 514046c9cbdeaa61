"""Habits: what an agent uses in its runs, and how rare a step of a run is beside that."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from baselines.cohort import Cohort
from baselines.novelty import Novelty
from baselines.places import Places
from baselines.runs import Run, Step
from baselines.target import Target, chain
from baselines.together import Together
from baselines.vocabulary import YOUNG, Patience, Vocabulary

MAX_TOOLS: Final = 128
MAX_SORTS: Final = 32
MAX_SIZE: Final = 2 << 20
"""Bytes of the targets and flows of all tools together."""

# While a term is young its own count leans on wider ones: geometric means with these weights.
_ANYWHERE: Final = 0.3
"""Of the agent's use of the target with any of its tools."""
_COHORT: Final = 0.3
"""Of the cohort's use of the tool; for kinds and groups, never for one target itself."""
_OF_A_NEW_TOOL: Final = 0.5
"""P-value of what a tool brings that was never used: the tool itself is what is odd."""


class Rarity(NamedTuple):
    """How rare the parts of a step are: p-values, 1 for what is usual or not there.

    Attributes
    ----------
    target
        Its target, at the grain at which it is rarest.
    grain
        The coarsest grain at which the target is new for the tool; None: it is known.
    novelty
        Share of steps of this effect and origin that bring something as new.
    flow
        Where the target's text came from, for this tool.
    context
        The tool, in view of the tools that the run has used so far.
    parent, user
        Who delegated, on whose behalf; new ones by how often there is a new one.
    """

    target: float = 1.0
    grain: int | None = None
    novelty: float = 1.0
    flow: float = 1.0
    context: float = 1.0
    parent: float = 1.0
    user: float = 1.0


def flow(step: Step) -> str:
    """Where the text of a step's target came from, as one term."""
    _, _, origin, source, _, _, _ = step
    return f"{origin or ''}:{source or ''}"


class Habits:
    """Terms of an agent's runs, each counted once a run, when the run is over.

    Attributes
    ----------
    tools
        Tools.
    targets
        Targets by tool.
    anywhere
        Targets of all tools.
    flows
        By tool: where the text of its targets comes from, as `flow` says it.
    parents, users
        Who delegates to the agent, and on whose behalf it acts.
    together
        Which tools go together in a run.
    """

    __slots__ = (
        "_novelty",
        "anywhere",
        "flows",
        "parents",
        "targets",
        "together",
        "tools",
        "users",
    )

    def __init__(self) -> None:
        self.tools = Vocabulary()
        self.targets: dict[str, Places] = {}
        self.anywhere = Places()
        self.flows: dict[str, Vocabulary] = {}
        self.parents = Vocabulary()
        self.users = Vocabulary()
        self.together = Together()
        self._novelty: dict[str, Novelty] = {}

    def rarity(self, step: Step, run: Run, cohort: Cohort | None) -> Rarity:
        """How rare a step is in its run, before anything is learned from it."""
        tool, text, _, _, parent, user, _ = step
        target, grain, novelty, from_where, context = 1.0, None, 1.0, 1.0, 1.0
        if run.tools and tool not in run.tools:
            context = self.together.share(tool, run.tools, cohort.together if cohort else None)
        if text is not None:
            places = self.targets.get(tool)
            if places is None:
                target, grain = _OF_A_NEW_TOOL, 0
            elif not places.is_frequent(text):
                links = chain(text)
                target, grain = self._target(tool, places, links, cohort), places.grain(links)
            if grain is not None:
                novelty = self._share_new(_sort(step), grain)
            flows = self.flows.get(tool)
            from_where = flows.p_value(flow(step)) if flows else _OF_A_NEW_TOOL
        return Rarity(
            target,
            grain,
            novelty,
            from_where,
            context,
            1.0 if parent is None else self._link(self.parents, "parent", parent),
            1.0 if user is None else self._link(self.users, "user", user),
        )

    def _target(self, tool: str, places: Places, links: Target, cohort: Cohort | None) -> float:
        """P-value of a target at the grain at which it is rarest."""
        rarest = 1.0
        for grain, (terms, term) in enumerate(zip(places.grains, links, strict=True)):
            p_value = terms.p_value(term)
            if terms.known.get(term, 0) < YOUNG:
                p_value **= 1 - _ANYWHERE
                p_value *= self.anywhere.grains[grain].p_value(term) ** _ANYWHERE
                peers = cohort.group_p_value(tool, grain, links) if cohort else None
                if peers is not None:
                    p_value = p_value ** (1 - _COHORT) * peers**_COHORT
            rarest = min(rarest, p_value)
        return rarest

    def _link(self, terms: Vocabulary, sort: str, term: str) -> float:
        p_value = terms.p_value(term)
        return p_value if term in terms.known else p_value * self._share_new(sort, 0)

    def _share_new(self, sort: str, grain: int) -> float:
        novelty = self._novelty.get(sort)
        return novelty.share(grain) if novelty else _OF_A_NEW_TOOL

    def knows(self, step: Step) -> bool:
        """Whether the step's tool was used on its target in a run that was learned."""
        places = self.targets.get(step.tool)
        return places is not None and step.target in places.texts.known

    def effects(self) -> dict[str, float]:
        """Share of the latest steps with a target by what they do to the world, largest first."""
        steps: dict[str, float] = {}
        for sort, novelty in self._novelty.items():
            effect, of_a_step, _ = sort.partition(":")
            if of_a_step:  # the others are about who delegates, and on whose behalf
                steps[effect] = steps.get(effect, 0.0) + novelty.steps
        total = sum(steps.values())
        ordered = sorted(steps.items(), key=lambda one: -one[1])
        return {effect: count / total for effect, count in ordered}

    def learn(self, run: Run, odd: bool, patience: Callable[[Step], Patience]) -> None:
        """Learn a run that is over.

        Parameters
        ----------
        run
            The run.
        odd
            Whether its rare terms must wait in quarantine.
        patience
            What a waiting term must show, by the step that brought it.
        """
        # Each term once a run; of several steps that bring it, the first says how long it waits.
        terms: dict[tuple[Vocabulary, str], Step] = {}
        for step in run.steps:
            self._note_novelty(step)
            for term_of in self._terms(step):
                terms.setdefault(term_of, step)
        for (vocabulary, term), step in terms.items():
            if (odd or vocabulary.held) and vocabulary.must_wait(term, odd):
                wait = patience(step)
                vocabulary.hold(term, run.name, run.last_s, wait, alarmed=run.alarmed)
            else:
                vocabulary.learn(term)
        self._keep_small()
        self.together.take(run.tools)

    def adopt(self, step: Step) -> None:
        """A person says that the step is usual: all of its terms are known well from now on."""
        for vocabulary, term in self._terms(step):
            vocabulary.adopt(term)
        self._keep_small()
        self.together.adopt(step.tool)

    def _note_novelty(self, step: Step) -> None:
        tool, target, _, _, parent, user, _ = step
        if target is not None:
            places = self.targets.get(tool)
            grain = places.grain(chain(target)) if places else 0
            self._of_sort(_sort(step)).take(grain)
        if parent is not None:
            self._of_sort("parent").take(None if parent in self.parents.known else 0)
        if user is not None:
            self._of_sort("user").take(None if user in self.users.known else 0)

    def _of_sort(self, sort: str) -> Novelty:
        novelty = self._novelty.get(sort)
        if novelty is None:
            if len(self._novelty) >= MAX_SORTS:
                del self._novelty[next(iter(self._novelty))]
            novelty = self._novelty[sort] = Novelty()
        return novelty

    def _terms(self, step: Step) -> list[tuple[Vocabulary, str]]:
        """The terms of a step, each with the vocabulary that it belongs to."""
        tool, target, _, _, parent, user, _ = step
        terms = [(self.tools, tool)]
        if target is not None:
            links = chain(target)
            places = self.targets.get(tool) or self._begin(tool)
            terms += zip(places.grains, links, strict=True)
            terms += zip(self.anywhere.grains, links, strict=True)
            terms.append((self.flows[tool], flow(step)))
        if parent is not None:
            terms.append((self.parents, parent))
        if user is not None:
            terms.append((self.users, user))
        return terms

    def _begin(self, tool: str) -> Places:
        """Make room for the targets of a tool that had none; the one used least gives way."""
        if len(self.targets) >= MAX_TOOLS:
            rarest = min(self.targets, key=lambda tool: self.targets[tool].texts.uses)
            del self.targets[rarest], self.flows[rarest]
        places = self.targets[tool] = Places()
        self.flows[tool] = Vocabulary()
        return places

    def _keep_small(self) -> None:
        """Let the rarest terms of the largest vocabulary go while all take too much room."""
        while self._size() > MAX_SIZE:
            tables = [terms for places in self.targets.values() for terms in places.grains]
            max((*tables, *self.flows.values()), key=lambda terms: terms.size).halve()

    def _size(self) -> int:
        total = 0
        for places in self.targets.values():
            total += places.size
        for flows in self.flows.values():
            total += flows.size
        return total

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same habits of it."""
        return [
            self.tools.dump(),
            [
                [tool, places.dump(), self.flows[tool].dump()]
                for tool, places in self.targets.items()
            ],
            self.anywhere.dump(),
            self.parents.dump(),
            self.users.dump(),
            self.together.dump(),
            [[sort, novelty.dump()] for sort, novelty in self._novelty.items()],
        ]

    @classmethod
    def load(cls, data: list[Any]) -> "Habits":
        """Undo `dump`."""
        habits = cls()
        tools, targets, anywhere, parents, users, together, novelty = data
        habits.tools = Vocabulary.load(tools)
        for tool, places, flows in targets:
            habits.targets[tool] = Places.load(places)
            habits.flows[tool] = Vocabulary.load(flows)
        habits.anywhere = Places.load(anywhere)
        habits.parents, habits.users = Vocabulary.load(parents), Vocabulary.load(users)
        habits.together = Together.load(together)
        habits._novelty = {sort: Novelty.load(shares) for sort, shares in novelty}
        return habits


def _sort(step: Step) -> str:
    return f"{step.effect}:{step.origin or ''}"
