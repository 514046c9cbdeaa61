"""A vocabulary: the terms an agent uses, how often a new one turns up, and which must wait."""

from dataclasses import dataclass
from typing import Any, Final

from river.stats import EWMean

FADING_FACTOR: Final = 0.01
"""Weight of the newest use in the rate of new terms."""
MAX_TERMS: Final = 512
MAX_HELD: Final = 64


@dataclass(slots=True)
class Held:
    """A quarantined term: alarmed on, and not known until enough runs have used it."""

    runs: int
    last_run: str
    first_s: float


class Vocabulary:
    """Known terms with how often each was used, and the decayed rate of new ones.

    Both tables are bounded: the known term used least gives way, so does the oldest in quarantine.
    """

    __slots__ = ("_new_rate", "held", "known", "uses")

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.held: dict[str, Held] = {}
        self.uses = 0
        self._new_rate = EWMean(FADING_FACTOR)

    def surprise(self) -> float:
        """P-value of a term that is not known: how often the next term is a new one.

        The decayed share of uses that brought a new term, and never less than 1 / (uses + 2),
        the rule of succession: what was never seen in n uses may still come once in n + 2.
        """
        return max(self._new_rate.get() if self.uses else 1.0, 1.0 / (self.uses + 2))

    def use(self, term: str) -> None:
        """Learn one use of a term."""
        count = self.known.get(term)
        self.uses += 1
        if count is not None:
            self.known[term] = count + 1
            self._new_rate.update(0.0)
            return
        self._new_rate.update(1.0)
        if len(self.known) >= MAX_TERMS:
            del self.known[min(self.known, key=self.known.__getitem__)]
        self.known[term] = 1

    def hold(
        self, term: str, run: str, time_s: float, promote_runs: int, promote_after_s: float
    ) -> None:
        """Keep an alarmed term apart; promote it once distinct runs over time have used it.

        Parameters
        ----------
        term
            What was alarmed on.
        run
            The run that used it; several uses in one run count once.
        time_s
            When, in seconds since the epoch.
        promote_runs, promote_after_s
            In how many runs, and for how long, it must have been seen to become known.
        """
        held = self.held.get(term)
        if held is None:
            if len(self.held) >= MAX_HELD:
                del self.held[next(iter(self.held))]
            self.held[term] = Held(1, run, time_s)
            return
        if run != held.last_run:
            held.runs += 1
            held.last_run = run
        if held.runs >= promote_runs and time_s - held.first_s >= promote_after_s:
            del self.held[term]
            self.use(term)

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same vocabulary of it."""
        held = [[term, h.runs, h.last_run, h.first_s] for term, h in self.held.items()]
        return [self.uses, self._new_rate.get(), list(self.known.items()), held]

    @classmethod
    def load(cls, data: list[Any]) -> "Vocabulary":
        """Undo `dump`."""
        vocabulary = cls()
        vocabulary.uses, new_rate, known, held = data
        if vocabulary.uses:
            vocabulary._new_rate.update(new_rate)
        vocabulary.known = dict(known)
        vocabulary.held = {term: Held(runs, last, first) for term, runs, last, first in held}
        return vocabulary
