"""Declared boundaries: what a person said that an agent may do at most. No learning needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from baselines.event import ActionEvent
from baselines.profile import Observation
from detectors.explain import name
from detectors.finding import Finding, Severity

_PLURAL: Final = {
    "tool": "tools",
    "target": "targets",
    "data class": "data classes",
    "verb": "verbs",
}

Patterns = tuple[str, ...]
"""Shell patterns (`*`, `?`, `[…]`), matched case-sensitively against the whole text."""


@dataclass(frozen=True, slots=True)
class Limits:
    """One declared boundary.

    Parameters
    ----------
    agents, roles
        For whom; an empty one does not narrow.
    tools, targets
        What is allowed; None: anything.
    data_classes
        The classes of data that may be touched; None: any.
    never
        Actions and effects that are never allowed.
    severity
        Of a breach.
    """

    agents: Patterns = ()
    roles: Patterns = ()
    tools: Patterns | None = None
    targets: Patterns | None = None
    data_classes: Patterns | None = None
    never: Patterns = ()
    severity: Severity = Severity.HIGH

    def covers(self, agent_id: str, role: str | None) -> bool:
        """Whether the boundary is about this agent."""
        return (not self.agents or _any(self.agents, agent_id)) and (
            not self.roles or (role is not None and _any(self.roles, role))
        )

    def breaches(self, event: ActionEvent, effect: str) -> list[tuple[str, str]]:
        """What the event does beyond the boundary: pairs of kind and offending term."""
        found = []
        if self.tools is not None and event.tool and not _any(self.tools, event.tool):
            found.append(("tool", event.tool))
        if self.targets is not None and event.target and not _any(self.targets, event.target):
            found.append(("target", event.target))
        classes = self.data_classes
        if classes is not None and event.data_class and not _any(classes, event.data_class):
            found.append(("data class", event.data_class))
        found += [("verb", verb) for verb in {event.action, effect} if verb in self.never]
        return sorted(found)


def _any(patterns: Patterns, text: str) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


class Boundary:
    """Alarms at once on whatever lies beyond a declared boundary.

    Refused attempts count, too: the agent tried.

    Parameters
    ----------
    limits
        All that are declared; an agent is held to each that covers it.
    """

    name = "boundary"

    def __init__(self, limits: Sequence[Limits]) -> None:
        self._limits = tuple(limits)

    def judge(self, seen: Observation) -> Sequence[Finding]:
        """The findings of one event: one per breach."""
        if not self._limits:
            return ()
        event = seen.event
        return [
            self._finding(seen, limits, kind, term)
            for limits in self._limits
            if limits.covers(event.agent_id, event.role)
            for kind, term in limits.breaches(event, seen.effect)
        ]

    def _finding(self, seen: Observation, limits: Limits, kind: str, term: str) -> Finding:
        tried = "tried" if seen.event.status == "denied" else "did"
        where = f" on {name(seen.event.target)}" if seen.event.target and kind != "target" else ""
        return Finding(
            detector=self.name,
            subject=f"{kind}\n{term}",
            episode=seen.run,
            observed=1.0,
            expected=0.0,
            unit=f"{_PLURAL[kind]} beyond the boundary",
            threshold=0.0,
            p_value=None,
            calibration="declared",
            severity=limits.severity,
            text=(
                f"{tried} {name(seen.tool)}{where}: the {kind} {name(term)} lies beyond the "
                "boundary declared for this agent"
            ),
        )
