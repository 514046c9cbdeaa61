"""A vocabulary: the terms an agent uses, in how many runs each, and which ones must wait."""

from array import array
from dataclasses import dataclass
from sys import intern
from typing import Any, Final
from zlib import crc32

from baselines.term import size

FREQUENT: Final = 12
"""A term seen in so many runs is beyond surprise."""
YOUNG: Final = 3
"""Below so many runs a term from an odd run waits in quarantine."""
MAX_TERMS: Final = 512
MAX_SIZE: Final = 256 << 10
"""Bytes of all its terms together; as many of them as may be, in ASCII, never take more."""
MAX_HELD: Final = 64
_UNSEEN: Final = 0.5
"""P-value of a first term: nothing is known yet, so nothing is odd."""


@dataclass(frozen=True, slots=True)
class Patience:
    """What a quarantined term must show to be known.

    Parameters
    ----------
    runs
        In so many distinct runs it must have been seen …
    after_s
        … spread over so long a time, evenly: of runs that come faster than `after_s / runs` after
        one another only the first counts, so that invented runs are of no use.
    """

    runs: int
    after_s: float


@dataclass(slots=True)
class Held:
    """A quarantined term.

    Attributes
    ----------
    runs
        Checksums of the distinct runs that counted.
    first_s, counted_s
        When the first and the last of them used it, in seconds since the epoch.
    alarmed
        Whether one of them was alarmed on: then ordinary runs do not make it known either.
    """

    runs: list[int]
    first_s: float
    counted_s: float
    alarmed: bool


_NONE_HELD: Final[dict[str, Held]] = {}
"""Shared by all that hold nothing, which is nearly all of them; never added to."""


class Vocabulary:
    """Terms by the number of distinct runs that used them.

    How surprising a term is follows from how many terms are as rare as it: with n_j terms seen in
    exactly j runs, the next use is of a term seen at most c times with probability
    (sum over j <= c of (j + 1) n_{j+1}) / N (Good 1953, Biometrika 40). Both tables are
    bounded: the known term used least gives way, so does the oldest in quarantine.

    Attributes
    ----------
    known
        Runs by term.
    held
        Terms in quarantine.
    uses
        Sum of `known`, those that gave way included.
    size
        How many bytes the terms take, those in quarantine included.
    """

    __slots__ = ("_terms_by_runs", "held", "known", "size", "uses")

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.held = _NONE_HELD
        self.uses = self.size = 0
        self._terms_by_runs = array("H", bytes(2 * (FREQUENT + 1)))

    def p_value(self, term: str) -> float:
        """How often the next use is of a term that is as rare as this one; 1 for a frequent one."""
        runs = self.known.get(term, 0)
        if runs >= FREQUENT:
            return 1.0
        if not self.uses:
            return _UNSEEN
        by_runs, total = self._terms_by_runs, 0.5
        for times in range(1, runs + 2):
            total += times * by_runs[times]
        return min(1.0, total / (self.uses + 1))

    def learn(self, term: str) -> None:
        """Count one more run that used the term; it waits no longer."""
        if self.held and term in self.held:
            self._release(term)
        known = self.known
        runs = known.get(term, 0)
        self.uses += 1
        if runs > FREQUENT:  # most uses are of such a term
            known[term] = runs + 1
            return
        by_runs = self._terms_by_runs
        if runs:
            by_runs[runs] -= 1
        else:
            self.size += size(term)
            while len(known) >= MAX_TERMS or (known and self.size > MAX_SIZE):
                self._forget(self._rarest())
        if runs < FREQUENT:
            by_runs[runs + 1] += 1
        known[term] = runs + 1

    def halve(self) -> None:
        """Let the rarest half of the known terms go, and the older half of those in quarantine."""
        for term in sorted(self.known, key=self.known.__getitem__)[: (len(self.known) + 1) // 2]:
            self._forget(term)
        for term in list(self.held)[: (len(self.held) + 1) // 2]:
            self._release(term)

    def _forget(self, term: str) -> None:
        runs = self.known.pop(term)
        self.size -= size(term)
        if runs <= FREQUENT:
            self._terms_by_runs[runs] -= 1

    def _release(self, term: str) -> None:
        del self.held[term]
        self.size -= size(term)

    def _rarest(self) -> str:
        """The known term of fewest runs; of several the oldest, which is soon found."""
        known = self.known
        for runs, terms in enumerate(self._terms_by_runs):
            if terms:
                return next(term for term, times in known.items() if times == runs)
        return min(known, key=known.__getitem__)

    def adopt(self, term: str) -> None:
        """A person says that the term is usual: from now on it is beyond surprise."""
        self.learn(term)
        while self.known[term] < FREQUENT:
            self.learn(term)

    def must_wait(self, term: str, odd: bool) -> bool:
        """Whether a run that used the term must `hold` it instead of learning it.

        Parameters
        ----------
        term
            The term.
        odd
            Whether the run was odd.
        """
        held = self.held.get(term)
        return (held is not None and held.alarmed) or (odd and self.known.get(term, 0) < YOUNG)

    def hold(
        self, term: str, run: str, time_s: float, patience: Patience, *, alarmed: bool
    ) -> None:
        """Keep a term of an odd run apart; once enough runs over time used it, it is learned.

        Parameters
        ----------
        term
            The term.
        run
            The run that used it; several uses in one run count once.
        time_s
            When, in seconds since the epoch.
        patience
            What it must show.
        alarmed
            Whether the run was alarmed on.
        """
        held, key = self.held.get(term), crc32(run.encode())
        if held is None:
            if len(self.held) >= MAX_HELD:
                self._release(next(iter(self.held)))
            if self.held is _NONE_HELD:
                self.held = {}
            self.size += size(term)
            held = self.held[term] = Held([key], time_s, time_s, alarmed)
        elif key not in held.runs and time_s - held.counted_s >= patience.after_s / patience.runs:
            held.runs.append(key)
            held.counted_s = time_s
        held.alarmed = held.alarmed or alarmed
        if len(held.runs) >= patience.runs and time_s - held.first_s >= patience.after_s:
            self.learn(term)

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same vocabulary of it."""
        held = [[term, h.runs, h.first_s, h.counted_s, h.alarmed] for term, h in self.held.items()]
        return [self.uses, list(self.known.items()), held]

    @classmethod
    def load(cls, data: list[Any]) -> "Vocabulary":
        """Undo `dump`."""
        vocabulary = cls()
        vocabulary.uses, known, held = data
        vocabulary.known = {intern(term): runs for term, runs in known}  # several have the same
        for runs in vocabulary.known.values():
            if runs <= FREQUENT:
                vocabulary._terms_by_runs[runs] += 1
        if held:
            vocabulary.held = {term: Held(list(runs), *rest) for term, runs, *rest in held}
        vocabulary.size = sum(map(size, (*vocabulary.known, *vocabulary.held)))
        return vocabulary
