"""A vocabulary: the terms an agent uses, how often a new one turns up, and which must wait."""

from dataclasses import dataclass
from typing import Any, Final

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

    __slots__ = ("_last_new", "_new_rate", "held", "known", "uses")

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.held: dict[str, Held] = {}
        self.uses = 0
        self._new_rate = 1.0  # as it was right after the last new term …
        self._last_new = 0  # … which was so many uses ago as this is behind `uses`

    def surprise(self) -> float:
        """P-value of a term that is not known: how often the next term is a new one.

        The decayed share of uses that brought a new term, and never less than 1 / (uses + 2),
        the rule of succession: what was never seen in n uses may still come once in n + 2.
        """
        faded = (1 - FADING_FACTOR) ** (self.uses - self._last_new)
        return max(self._new_rate * faded, 1.0 / (self.uses + 2))

    def use(self, term: str) -> bool:
        """Learn one use of a term; False, and nothing learned, if it waits in quarantine."""
        known = self.known
        count = known.get(term)
        if count is not None:
            known[term] = count + 1
            self.uses += 1
        elif term in self.held:
            return False
        else:
            self._meet(term)
        return True

    def _meet(self, term: str) -> None:
        """Learn a new term. Between two of them the rate only fades, so nobody need update it."""
        faded = (1 - FADING_FACTOR) ** (self.uses - self._last_new)
        if self.uses:
            self._new_rate = FADING_FACTOR + (1 - FADING_FACTOR) * self._new_rate * faded
        self.uses += 1
        self._last_new = self.uses
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
            self._meet(term)

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same vocabulary of it."""
        held = [[term, h.runs, h.last_run, h.first_s] for term, h in self.held.items()]
        rate = [self._new_rate, self._last_new]
        return [self.uses, rate, list(self.known.items()), held]

    @classmethod
    def load(cls, data: list[Any]) -> "Vocabulary":
        """Undo `dump`."""
        vocabulary = cls()
        vocabulary.uses, rate, known, held = data
        vocabulary._new_rate, vocabulary._last_new = rate
        vocabulary.known = dict(known)
        vocabulary.held = {term: Held(runs, last, first) for term, runs, last, first in held}
        return vocabulary
