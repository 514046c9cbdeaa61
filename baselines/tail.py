"""A tail: how large an agent's scores get per episode, and which limit a stated share passes."""

from array import array
from bisect import bisect_left, insort
from math import exp, inf, log, nextafter
from typing import Any, Final

SKIPPED: Final = 60
"""The first episodes of an agent are not scored by: everything was new in them."""
FITTED: Final = 60
"""So many more are needed for a first fit; with them the tail is calibrated."""
GENERATION: Final = 500
"""The fit is over the last one to two times so many episodes, or more by request."""
TAIL_SHARE: Final = 0.1
_FITTED_OF_ONE: Final = round(GENERATION * TAIL_SHARE)
"""Of a longer generation the fit is over as many, so over a smaller share, further out."""
MAX_KEPT: Final = 71
"""Largest scores kept of a generation; two together hold what is fitted of both, with some room
for one of them having more of it than the other."""
_LEAST_BEYOND: Final = 5
_LEAST_EXCESS: Final = 0.05
"""In nats; scores that are nearly all the same still get a limit a little above them."""
_FEW: Final = 2.0
"""Where the kept episodes are due fewer alarms, the model goes beyond the data: ask it for less."""
_AT_MOST: Final = 2.0
"""The limit lies above what more than so many times the budget of the kept episodes reached."""
_STEP: Final = 0.05
"""By how many mean excesses one alarmed episode moves the limit."""
_FAR: Final = 0.5
"""From so many mean excesses above the limit on an episode is taken for a true anomaly …"""
_FAR_WEIGHT: Final = 0.2
"""… and counts so much against the budget: an attack must not raise the limit for the next."""
_ORDINARY_WEIGHT: Final = 1 - exp(-_FAR) * (1 - _FAR_WEIGHT)
"""What an alarmed episode counts on average if nothing is wrong and the tail is exponential."""


class _Generation:
    """How many episodes, and the largest of their scores, ascending."""

    __slots__ = ("episodes", "largest")

    def __init__(self) -> None:
        self.episodes = 0
        self.largest = array("d")

    def take(self, score: float) -> None:
        self.episodes += 1
        largest = self.largest
        if len(largest) < MAX_KEPT:
            insort(largest, score)
        elif score > largest[0]:
            insort(largest, score)
            del largest[0]

    def reaching(self, score: float) -> int:
        """How many of the kept ones are not below a score."""
        return len(self.largest) - bisect_left(self.largest, score)


class Tail:
    """Distribution of the largest score per episode, far out, and a limit that keeps a budget.

    Beyond the point that a tenth of the episodes pass, or fewer of many, scores are taken as
    exponential (peaks over threshold: Siffer et al., KDD 2017, with shape 0). What the last
    episodes show overrules that model: at most twice the budget of them lie beyond the limit.
    Tails are mostly heavier, so further out than the last episodes reach the model is asked for
    less than the budget. What is wrong for longer an integrator corrects: each alarmed episode
    raises the limit, each quiet one lowers it a little, so that in the long run about the share
    `alpha` of all episodes passes, whatever the distribution (conformal PID control: Angelopoulos,
    Candès and Tibshirani, NeurIPS 2023). Every episode counts, alarmed ones too: a tracker that
    leaves them out spirals. But those far beyond the limit count less, and are cut to it
    (winsorised) in the fit, so that a series of attacks raises the limit more slowly. Where nothing
    is wrong this changes nothing on average; were all alarms far ones, about 2.6 times the budget
    would pass at first.

    Attributes
    ----------
    episodes
        How many were taken.
    since_s
        When it became calibrated, in seconds since the epoch; None until then.
    """

    __slots__ = (
        "_beyond",
        "_correction",
        "_excess",
        "_now",
        "_past",
        "_point",
        "_share",
        "episodes",
        "since_s",
    )

    def __init__(self) -> None:
        self.episodes = 0
        self.since_s: float | None = None
        self._now = _Generation()
        self._past = _Generation()
        self._correction = 0.0
        self._point, self._excess = 0.0, _LEAST_EXCESS
        self._share = 0.0
        self._beyond = 0

    @property
    def calibrated(self) -> bool:
        """Whether the limit is this agent's own."""
        return self.since_s is not None

    def limit(self, alpha: float) -> float:
        """The score that a share `alpha` of episodes reaches; infinite until calibrated."""
        if self.since_s is None:
            return inf
        due = self._due(alpha)
        return max(self._modelled(alpha, due), nextafter(self._reached(_most(due)), inf))

    def reaches(self, score: float, alpha: float) -> bool:
        """Whether a score is at least the `limit`; mostly told without working that out."""
        if self.since_s is None:
            return False
        due = self._due(alpha)
        return score >= self._modelled(alpha, due) and self._reaching(score) < _most(due)

    def p_value(self, score: float) -> float:
        """Share of episodes that reach the score; 1 below the tail."""
        if self.since_s is None or score <= 0:
            return 1.0
        beyond = (score - self._point) / self._excess - self._correction
        if beyond <= 0:
            return 1.0
        episodes = self._now.episodes + self._past.episodes
        return max(self._share * exp(-beyond), self._reaching(score) / (_AT_MOST * episodes))

    def take(
        self, score: float, alpha: float, time_s: float, generation: float = GENERATION
    ) -> None:
        """Take in a finished episode.

        Parameters
        ----------
        score
            Its largest.
        alpha
            Share of episodes that may alarm, as of now.
        time_s
            When it ended, in seconds since the epoch.
        generation
            The past counts from one to two times so many episodes back. Where an alarm is due more
            rarely than that, what lies beyond the limit is but a guess.
        """
        self.episodes += 1
        if self.episodes <= SKIPPED:
            return
        if self.since_s is not None:
            counts = 0.0
            if self.reaches(score, alpha):
                far = self.limit(alpha) + _FAR * self._excess
                counts = 1.0 if score <= far else _FAR_WEIGHT
                score = min(score, far)  # nor may it stretch the tail
            self._correction += _STEP * (counts - alpha * _ORDINARY_WEIGHT)
        self._now.take(score)
        below = score < self._point
        if self._now.episodes >= generation:
            self._past, self._now = self._now, _Generation()
            below = False
        if self.since_s is None and self.episodes >= SKIPPED + FITTED:
            self.since_s = time_s
        if self.since_s is not None:
            self._fit(below=below)

    def _due(self, alpha: float) -> float:
        """How many of the kept episodes may alarm."""
        return alpha * (self._now.episodes + self._past.episodes)

    def _modelled(self, alpha: float, due: float) -> float:
        """The limit by the model and what the integrator makes of it."""
        beyond = max(0.0, log(self._share / (alpha * min(1.0, due / _FEW))))
        return self._point + self._excess * (beyond + self._correction)

    def _reaching(self, score: float) -> int:
        """How many of the kept scores are not below a score."""
        return self._now.reaching(score) + self._past.reaching(score)

    def _reached(self, place: int) -> float:
        """The kept score at a place, from the largest on; nothing if there are not so many."""
        kept = self._kept()
        return -inf if place > len(kept) else kept[-place]

    def _kept(self) -> list[float]:
        return sorted([*self._now.largest, *self._past.largest])

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same tail of it."""
        generations = [[g.episodes, g.largest.tolist()] for g in (self._now, self._past)]
        return [self.episodes, self.since_s, self._correction, *generations]

    @classmethod
    def load(cls, data: list[Any]) -> "Tail":
        """Undo `dump`."""
        tail = cls()
        tail.episodes, tail.since_s, tail._correction, *generations = data
        for generation, (episodes, largest) in zip(
            (tail._now, tail._past), generations, strict=True
        ):
            generation.episodes, generation.largest = episodes, array("d", largest)
        if tail.since_s is not None:
            tail._fit()
        return tail

    def _fit(self, *, below: bool = False) -> None:
        """Where the tail begins, and by how much a score there exceeds that on average.

        If all that is new since the last fit lies `below` that point, both are as they were until
        the tail is one episode more: no sorting after each episode.
        """
        now, past = self._now, self._past
        episodes, kept = now.episodes + past.episodes, len(now.largest) + len(past.largest)
        share = min(TAIL_SHARE, _FITTED_OF_ONE / max(now.episodes, past.episodes))
        beyond = min(kept - 1, max(_LEAST_BEYOND, int(episodes * share)))
        self._share = beyond / episodes
        if below and beyond == self._beyond:
            return
        self._beyond = beyond
        largest = self._kept()[-beyond - 1 :]
        self._point = largest[0]
        self._excess = max(_LEAST_EXCESS, sum(largest[1:]) / beyond - self._point)


def _most(due: float) -> int:
    """How many of the kept scores may reach the limit, and one."""
    return max(1, int(_AT_MOST * due))
