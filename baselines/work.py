"""Work: the runs of an agent, open and learned, and the scores that they got."""

from array import array
from typing import Any, Final

from baselines.cohort import Cohort
from baselines.habits import Habits
from baselines.pace import Pace
from baselines.repeats import Repeats
from baselines.rules import Rules, is_strict
from baselines.runs import Run, Runs, Step
from baselines.tail import GENERATION, TAIL_SHARE, Tail
from baselines.vocabulary import Patience

QUARANTINED_SHARE: Final = 0.02
"""Rare terms of so many of the oddest runs wait in quarantine, alarmed on or not."""
_LONGEST_GENERATION: Final = GENERATION * TAIL_SHARE / QUARANTINED_SHARE
"""As many runs count as one alarm is due in, but what is fitted must reach down to that share."""
MAX_RECENT: Final = 12
MAX_TOLD: Final = 64
CHANGE_RUNS: Final = 20
"""For so many runs after a new version the agent may learn new ways faster …"""
CHANGE_AGAIN_S: Final = 86_400.0
"""… and a further version within this time changes nothing."""
_CHANGE_FACTOR: Final = 0.5
"""Weight of a step's surprise meanwhile, where it does no harm."""
_CHANGE_PATIENCE: Final = Patience(2, 0.0)


class Work:
    """Runs while they are open; habits and calibration of those that are over.

    Attributes
    ----------
    habits
        What the agent uses in its runs.
    repeats
        How long its streaks of identical calls usually get.
    tail
        Scores of its runs.
    recent_scores
        Of the last runs, oldest first.
    alpha
        Share of runs that may alarm at the agent's pace.
    told
        Tools and targets that were alarmed on; until known they tell nothing new.
    changed_s
        When a new version was seen, in seconds since the epoch; None: never.
    """

    __slots__ = (
        "_pace",
        "_relaxed_runs",
        "_runs",
        "alpha",
        "changed_s",
        "habits",
        "recent_scores",
        "repeats",
        "rules",
        "tail",
        "told",
    )

    def __init__(self, rules: Rules, tail: Tail) -> None:
        self.rules = rules
        self.tail = tail
        self.habits = Habits()
        self.repeats = Repeats()
        self.recent_scores = array("d")
        self.told: dict[tuple[str, str | None], None] = {}
        self.changed_s: float | None = None
        self._relaxed_runs = 0
        self._pace = Pace()
        self._runs = Runs()
        self.alpha = rules.alpha("run", self._pace.runs_per_week)

    @property
    def usual_score(self) -> float:
        """Median score of the last runs."""
        scores = sorted(self.recent_scores)
        return scores[len(scores) // 2] if scores else 0.0

    @property
    def runs_per_week(self) -> float:
        """How many runs it has, as of the last one."""
        return self._pace.runs_per_week

    @property
    def changing(self) -> bool:
        """Whether the agent's version is so new that new ways are to be expected."""
        return self._relaxed_runs > 0

    def run(self, name: str, time_s: float, cohort: Cohort | None) -> Run:
        """The run that an event belongs to; those that are over with it are learned."""
        run, over = self._runs.at(name, time_s)
        for ended in over:
            self._end(ended, cohort)
        return run

    def take(self, run: Run, step: Step, score: float, *, alarmed: bool) -> None:
        """Note a judged step of a run.

        What a step was alarmed on for is a story by itself until it is known. Where it is a strict
        one, alarms that go on telling it must not raise the limit for the next one.
        """
        run.take(step, score, told=score > 0 and is_strict(step) and self.tells_again(step))
        if not alarmed:
            return
        run.alarmed = True
        if not self.habits.knows(step):
            key = (step.tool, step.target)
            if len(self.told) >= MAX_TOLD and key not in self.told:
                del self.told[next(iter(self.told))]
            self.told[key] = None

    def tells_again(self, step: Step) -> bool:
        """Whether an alarm about the step would only repeat an earlier one."""
        return (step.tool, step.target) in self.told and not self.habits.knows(step)

    def adopt(self, step: Step) -> None:
        """A person says that the step is usual."""
        self.habits.adopt(step)
        self.told.pop((step.tool, step.target), None)

    def change(self, time_s: float) -> None:
        """Note that the agent has a new version."""
        if self.changed_s is None or time_s - self.changed_s >= CHANGE_AGAIN_S:
            self.changed_s, self._relaxed_runs = time_s, CHANGE_RUNS

    def weight(self, step: Step) -> float:
        """How much a step's surprise counts; less right after a new version, if it is harmless."""
        return _CHANGE_FACTOR if self._relaxed_runs and not is_strict(step) else 1.0

    def _end(self, run: Run, cohort: Cohort | None) -> None:
        tail, may_teach = self.tail, self._pace.take(run.last_s)
        self.alpha = self.rules.alpha("run", self._pace.runs_per_week)
        # A limit for this share of runs; what it calls odd need not have been alarmed on.
        odd = run.alarmed or tail.reaches(run.score, QUARANTINED_SHARE)
        self.recent_scores.append(run.score)
        del self.recent_scores[:-MAX_RECENT]
        self.repeats.end(run, run.last_s, self.rules.promote_after_s)
        if may_teach:
            if cohort is not None and not tail.calibrated:
                cohort.take_young(run.fresh_score, self.alpha, run.last_s)
            generation = min(max(GENERATION, 1 / self.alpha), _LONGEST_GENERATION)
            tail.take(run.fresh_score, self.alpha, run.last_s, generation)
            self.habits.learn(run, odd, self._patience)
            if cohort is not None and not odd:
                cohort.learn(run)
        if self._relaxed_runs:
            self._relaxed_runs -= 1

    def _patience(self, step: Step) -> Patience:
        if self._relaxed_runs and not is_strict(step):
            return _CHANGE_PATIENCE
        return self.rules.patience(step)

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same work of it."""
        return [
            self.habits.dump(),
            self.repeats.dump(),
            self.recent_scores.tolist(),
            [list(key) for key in self.told],
            [self.changed_s, self._relaxed_runs],
            self._pace.dump(),
            self._runs.dump(),
        ]

    @classmethod
    def load(cls, data: list[Any], rules: Rules, tail: Tail) -> "Work":
        """Undo `dump`; the tail is stored with the others."""
        work = cls(rules, tail)
        habits, repeats, recent, told, (work.changed_s, work._relaxed_runs), pace, runs = data
        work.habits, work.repeats = Habits.load(habits), Repeats.load(repeats)
        work.recent_scores.extend(recent)
        work.told = dict.fromkeys((tool, target) for tool, target in told)
        work._pace, work._runs = Pace.load(pace), Runs.load(runs)
        work.alpha = rules.alpha("run", work._pace.runs_per_week)
        return work
