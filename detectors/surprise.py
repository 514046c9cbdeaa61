"""Surprise: a step of a run that this agent does not take; the strongest sign of a hijack."""

from collections.abc import Sequence
from math import log
from typing import Final

from baselines.habits import Rarity
from baselines.hold import Hold
from baselines.observation import Observation
from baselines.runs import Step
from detectors.finding import Calibration, Finding, Severity
from detectors.surprise_text import evidence, sentence

EFFECT: Final = {"read": 0.5, "unknown": 0.75, "write": 0.75, "external": 1.0, "destructive": 1.0}
"""Weight by what the step does to the world."""
ORIGIN: Final = {None: 1.0, "tool": 1.0, "model": 0.3, "user": 0.0}
"""Weight by where the target's text came from: what the user named is the user's wish."""

# Weights of the parts of a step; `detectors/README.md` says how they were chosen.
_FLOW: Final = 0.5
_CONTEXT_ALONE: Final = 1.5
"""Of the context where there is no target, and so nothing else to go by."""
_PARENT: Final = 1.0
_USER: Final = 0.5
_EARLIER_STEPS: Final = 0.7
"""A run of many odd steps had many chances: its score is lowered by so many times their log."""

LEAST: Final = 1.0
"""In nats; a step below it is never odd, whatever the calibration says."""

_SEVERITY: Final = {
    "read": Severity.LOW,
    "unknown": Severity.MEDIUM,
    "write": Severity.MEDIUM,
    "external": Severity.HIGH,
    "destructive": Severity.HIGH,
}
_SENSITIVE: Final = frozenset({"confidential", "restricted"})


def parts(step: Step, rarity: Rarity) -> dict[str, float]:
    """A step's surprise in nats, by the detector that each part of it speaks for.

    The sum is the score, before what earlier odd steps of the run take off.
    """
    target, _, novelty, flow, context, parent, user = rarity
    effect = EFFECT[step.effect]
    delegation, new_user = _PARENT * -log(parent), _USER * -log(user)
    if step.target is None:
        sequence = effect * _CONTEXT_ALONE * -log(context)
        return {"delegation": delegation, "new_user": new_user, "sequence": sequence}
    weight = effect * ORIGIN[step.origin]
    return {
        "delegation": delegation,
        "new_user": new_user,
        "new_target": weight * -(log(target) + log(novelty)),
        "flow": weight * _FLOW * -log(flow),
        "sequence": weight * -log(context),
    }


class Surprise:
    """Alarms on the first step of a run that is odder than the agent's runs ever get.

    One decision per run: the largest score of a run's steps against the limit that keeps the
    budget, by the agent's own past runs; until these are enough, by its cohort's new agents.
    """

    name = "new_tool, new_target, flow, sequence, delegation, new_user"

    def judge(self, seen: Observation) -> Sequence[Finding]:
        """The finding of one event, if any."""
        step, run = seen.step, seen.open_run
        if step in run.steps:
            return ()
        if step.origin == "user" and step.target and not (step.parent or step.user):
            seen.scores["run"] = 0.0  # what the user named is the user's wish
            return ()
        work = seen.profile.work
        rarity = work.habits.rarity(step, run, seen.cohort)
        found = parts(step, rarity)
        score = sum(found.values()) - _EARLIER_STEPS * log(run.odd_steps + 1)
        score = seen.scores["run"] = max(0.0, score * work.weight(step))
        if score < LEAST:
            return ()
        tail = work.tail
        calibration: Calibration = "calibrated"
        if not tail.calibrated:
            if seen.cohort is None:
                return ()
            tail, calibration = seen.cohort.young, "uncalibrated"
        alpha = seen.profile.alarming(work.alpha, seen.time_s)
        if not tail.reaches(score, alpha):
            return ()
        name = max(found, key=found.__getitem__)
        if step.tool not in work.habits.tools.known and name in ("sequence", "new_target"):
            name = "new_tool"
        return (
            Finding(
                detector=name,
                # With the effect: that it was read must not stand for that it was sent.
                subject="\n".join((step.tool, step.target or "", step.effect)),
                episode=seen.run,
                observed=score,
                expected=work.usual_score,
                unit="nats of surprise",
                threshold=max(LEAST, tail.limit(alpha)),
                p_value=tail.p_value(score),
                calibration=calibration,
                severity=_severity(seen, step),
                text=sentence(name, seen),
                evidence=evidence(seen, rarity, found),
                history=(*work.recent_scores, score),
                hold=Hold("run"),
                repeat=work.tells_again(step),
            ),
        )


def _severity(seen: Observation, step: Step) -> Severity:
    severity = _SEVERITY[step.effect]
    if seen.event.data_class in _SENSITIVE and severity < Severity.CRITICAL:
        return Severity(severity + 1)
    return severity
