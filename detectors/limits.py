"""Limits: what a person said that some agents may do at most, and what they may do for a time."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from baselines.event import ActionEvent
from detectors.finding import Severity
from detectors.hours import Hours
from detectors.pattern import Patterns, allows, matches

Kind = Literal["data class", "hour", "target", "tool", "verb"]
ALWAYS: Final = -1e12
"""The start of a permit that has none, in seconds since the epoch."""


class Breach(NamedTuple):
    """Something that an event did beyond a boundary.

    Attributes
    ----------
    kind, term
        What: the tool, target, data class or verb; of an hour, the hours that are declared.
    permit
        What is to be known of a permit that would have allowed it at another time; may be empty.
    """

    kind: Kind
    term: str
    permit: str


@dataclass(frozen=True, slots=True)
class Permit:
    """What is allowed beyond a boundary for a time, judged by the time of the event.

    Parameters
    ----------
    until_s, since_s
        From when until before when, in seconds since the epoch.
    reason
        Why; said when it is missed.
    agents
        For which of the boundary's agents; an empty one does not narrow.
    tools, targets, data_classes
        Allowed, too.
    verbs
        Actions and effects allowed in spite of `never`.
    hours
        Allowed, too.
    """

    until_s: float
    reason: str
    since_s: float = ALWAYS
    agents: Patterns = ()
    tools: Patterns = ()
    targets: Patterns = ()
    data_classes: Patterns = ()
    verbs: Patterns = ()
    hours: Hours | None = None

    def about(self, agent_id: str) -> bool:
        """Whether the permit is given to this agent."""
        return not self.agents or matches(self.agents, agent_id)

    def holds(self, time_s: float) -> bool:
        """Whether the permit is in force at this time."""
        return self.since_s <= time_s < self.until_s

    def allows(self, kind: Kind, term: str, time_s: float) -> bool:
        """Whether the permit, while it is in force, allows this."""
        if kind == "target":
            return bool(self.targets) and allows(self.targets, term)
        if kind == "hour":
            return self.hours is not None and self.hours.hold(time_s)
        patterns = {"tool": self.tools, "data class": self.data_classes, "verb": self.verbs}[kind]
        return matches(patterns, term)

    def told(self, time_s: float) -> str:
        """Why the permit does not help at this time."""
        verb, at_s = ("ended", self.until_s) if time_s >= self.until_s else ("begins", self.since_s)
        return f"the permit for it (“{self.reason}”) {verb} {_iso(at_s)}"


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
    hours
        When they may act; None: at any time.
    permits
        What is allowed for a time.
    severity
        Of a breach.
    shadow
        Whether a breach is only recorded, not alarmed on.
    """

    agents: Patterns = ()
    roles: Patterns = ()
    tools: Patterns | None = None
    targets: Patterns | None = None
    data_classes: Patterns | None = None
    never: Patterns = ()
    hours: Hours | None = None
    permits: tuple[Permit, ...] = ()
    severity: Severity = Severity.HIGH
    shadow: bool = False

    def covers(self, agent_id: str, role: str | None) -> bool:
        """Whether the boundary is about this agent."""
        return (not self.agents or matches(self.agents, agent_id)) and (
            not self.roles or (role is not None and matches(self.roles, role))
        )

    def breaches(self, event: ActionEvent, effect: str) -> list[Breach]:
        """What the event does beyond the boundary, and beyond the permits in force at its time."""
        beyond = self._beyond(event, effect)
        if not beyond or not self.permits:
            return [Breach(kind, term, "") for kind, term in beyond]
        time_s = event.time_s
        mine = [permit for permit in self.permits if permit.about(event.agent_id)]
        found = []
        for kind, term in beyond:
            if kind == "target" and self._target_permitted(mine, term, time_s):
                continue
            fitting = [permit for permit in mine if permit.allows(kind, term, time_s)]
            if any(permit.holds(time_s) for permit in fitting):
                continue
            nearest = min(fitting, key=lambda permit: _distance_s(permit, time_s), default=None)
            found.append(Breach(kind, term, nearest.told(time_s) if nearest else ""))
        return found

    def _beyond(self, event: ActionEvent, effect: str) -> list[tuple[Kind, str]]:
        """What lies beyond the boundary itself."""
        found: list[tuple[Kind, str]] = []
        tool, target, data_class = event.tool, event.target, event.data_class
        if self.tools is not None and tool and not matches(self.tools, tool):
            found.append(("tool", tool))
        if self.targets is not None and target and not allows(self.targets, target):
            found.append(("target", target))
        classes = self.data_classes
        if classes is not None and data_class and not matches(classes, data_class):
            found.append(("data class", data_class))
        if event.action in self.never:
            found.append(("verb", event.action))
        if effect in self.never and effect != event.action:
            found.append(("verb", effect))
        if self.hours is not None and not self.hours.hold(event.time_s):
            found.append(("hour", self.hours.said))
        return found

    def _target_permitted(self, permits: list[Permit], target: str, time_s: float) -> bool:
        """Whether boundary and permits allow it together: of two addresses each may allow one."""
        lent = [permit.targets for permit in permits if permit.targets and permit.holds(time_s)]
        return bool(lent) and allows(sum(lent, self.targets or ()), target)


def _distance_s(permit: Permit, time_s: float) -> float:
    """How far from its time a permit is that does not hold."""
    return time_s - permit.until_s if time_s >= permit.until_s else permit.since_s - time_s


def _iso(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="seconds")
