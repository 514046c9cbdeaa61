"""Declared boundaries: what a person said that an agent may do at most. No learning needed."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from baselines.hold import Hold
from baselines.profile import Observation
from detectors.explain import name
from detectors.finding import Finding
from detectors.limits import Breach, Kind, Limits

_PLURAL: Final[dict[Kind, str]] = {
    "tool": "tools",
    "target": "targets",
    "data class": "data classes",
    "verb": "verbs",
    "hour": "actions",
}
_HOLDS: Final[dict[Kind, Hold]] = {"tool": Hold("run"), "target": Hold("run")}
"""What is not learned for having been alarmed on."""
_MAX_REMEMBERED: Final = 4096


class Boundary:
    """Alarms at once on whatever lies beyond a declared boundary.

    Refused attempts count, too: the agent tried. Of one breach of several boundaries the most
    serious is told.

    Parameters
    ----------
    limits
        All that are declared; an agent is held to each that covers it.
    """

    name = "boundary"

    def __init__(self, limits: Sequence[Limits]) -> None:
        # Ranked: one that alarms before one in shadow, the more severe before the less.
        ranked = sorted(limits, key=lambda each: (each.shadow, -each.severity))

        @lru_cache(_MAX_REMEMBERED)
        def about(agent_id: str, role: str | None) -> tuple[Limits, ...]:
            return tuple(each for each in ranked if each.covers(agent_id, role))

        self._about = about

    def judge(self, seen: Observation) -> Sequence[Finding]:
        """The findings of one event: one per breach."""
        event = seen.event
        covering = self._about(event.agent_id, seen.role)
        if not covering:
            return ()
        worst: dict[tuple[Kind, str], tuple[Limits, Breach]] = {}
        for limits in covering:
            for breach in limits.breaches(event, seen.effect):
                worst.setdefault((breach.kind, breach.term), (limits, breach))
        return [self._finding(seen, *each) for each in worst.values()] if worst else ()

    def _finding(self, seen: Observation, limits: Limits, breach: Breach) -> Finding:
        event, kind, term = seen.event, breach.kind, breach.term
        tried = "tried" if event.status == "denied" else "did"
        where = f" on {name(event.target)}" if event.target and kind != "target" else ""
        what = f"the {kind} {name(term)} lies beyond the boundary declared for this agent"
        if kind == "hour" and limits.hours is not None:
            local = limits.hours.local(event.time_s)
            what = f"{local:%A %H:%M} lies beyond the hours declared for this agent ({term})"
        return Finding(
            detector=self.name,
            # Severity and mode are part of it: a milder breach must not stand for this one.
            subject="\n".join((_mode(limits), limits.severity.label, kind, term)),
            episode=seen.run,
            observed=1.0,
            expected=0.0,
            unit=f"{_PLURAL[kind]} beyond the boundary",
            threshold=0.0,
            p_value=None,
            calibration="declared",
            severity=limits.severity,
            text=f"{tried} {name(seen.tool)}{where}: {what}"
            + (f"; {breach.permit}" if breach.permit else ""),
            hold=None if limits.shadow else _HOLDS.get(kind),
            evidence=(breach.permit,) if breach.permit else (),
            shadow=limits.shadow,
        )


def _mode(limits: Limits) -> str:
    return "shadow" if limits.shadow else "alert"
