"""Teaching: what an alert that a person says was expected makes known to its agent's profile."""

import json
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

from baselines.profile import Profile
from baselines.runs import Step
from baselines.window import METRICS, WINDOWS_S
from detectors.finding import Anomaly

KIND: Final = "expect"
"""The directive's kind."""
MAX_LESSONS: Final = 64
"""So many different steps, levels and streaks are taught at once, of each."""

Scope = Literal["terms", "level"]


class Lessons(NamedTuple):
    """What is usual from now on.

    Attributes
    ----------
    steps
        Tools and targets, with where the target's text came from, who delegated, for whom.
    levels
        Index of the window, index of the metric, and how much of it.
    streaks
        How often in a row one identical call was made.
    """

    steps: tuple[Step, ...] = ()
    levels: tuple[tuple[int, int, float], ...] = ()
    streaks: tuple[int, ...] = ()

    def words(self) -> list[str]:
        """For people; hostile text."""
        said = [" on ".join(part for part in (s.tool, s.target) if part) for s in self.steps]
        said += [
            f"{quantity:,.0f} {METRICS[metric].replace('_', ' ')} in {WINDOWS_S[window]} s"
            for window, metric, quantity in self.levels
        ]
        return said + [f"{streak} identical calls in a row" for streak in self.streaks]


def of(anomalies: Sequence[Anomaly], scope: Scope | None) -> Lessons:
    """What anomalies teach once a person says that they were expected.

    Parameters
    ----------
    scope
        Only `terms` or only the `level`; None: whatever the anomalies are about.
    """
    steps: dict[Step, None] = {}
    levels: dict[tuple[int, int], float] = {}
    streaks: dict[int, None] = {}
    for one in anomalies:
        if one.held == "run" and scope != "level":
            steps[_step(one)] = None
        elif one.held == "window" and scope != "terms":
            metric, _, length = one.subject.partition("/")
            if metric in METRICS and length in _LENGTHS:
                key = _LENGTHS.index(length), METRICS.index(metric)
                levels[key] = max(levels.get(key, 0.0), one.observed)
        elif one.held == "streak" and scope != "terms":
            streaks[int(one.observed)] = None
    return Lessons(
        tuple(steps)[:MAX_LESSONS],
        tuple((*key, quantity) for key, quantity in levels.items())[:MAX_LESSONS],
        tuple(streaks)[:MAX_LESSONS],
    )


_LENGTHS: Final = tuple(f"{length_s}s" for length_s in WINDOWS_S)


def _step(anomaly: Anomaly) -> Step:
    return Step(
        tool=anomaly.tool or anomaly.action,
        target=anomaly.target,
        origin=anomaly.target_origin,
        source=anomaly.target_source,
        parent=anomaly.parent_agent_id,
        user=anomaly.user_id,
        effect=anomaly.effect,
    )


def write(lessons: Lessons) -> str:
    """As JSON; `read` undoes it."""
    return json.dumps(lessons)


def read(doc: str | None) -> Lessons:
    """Undo `write`."""
    steps, levels, streaks = json.loads(doc or "[[], [], []]")
    return Lessons(
        tuple(Step(*step) for step in steps),
        tuple((int(window), int(metric), float(many)) for window, metric, many in levels),
        tuple(int(streak) for streak in streaks),
    )


def apply(profile: Profile, lessons: Lessons) -> None:
    """Make it known to a profile."""
    for step in lessons.steps:
        profile.work.adopt(step)
    for window, metric, quantity in lessons.levels:
        profile.windows[window].adopt(metric, quantity)
    for streak in lessons.streaks:
        profile.work.repeats.adopt(streak)


def document(lessons: Lessons) -> dict[str, Any]:
    """As JSON for people and programs."""
    return {
        "terms": [{"tool": step.tool, "target": step.target} for step in lessons.steps],
        "levels": [
            {"metric": METRICS[metric], "window_s": WINDOWS_S[window], "quantity": quantity}
            for window, metric, quantity in lessons.levels
        ],
        "streaks": list(lessons.streaks),
    }
