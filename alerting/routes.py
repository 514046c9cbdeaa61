"""Routes: which receivers hear of a message, and who is responsible for what it is about. Pure.

The first route that matches takes a message, and with `go_on` the next ones are asked, too. What
no route takes goes to the fallback; with no fallback, or with no routes at all, to every receiver:
a message too many is better than one that nobody gets.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final, Literal, overload

from alerting.message import Message, MessageKind
from detectors.finding import Severity

KindGroup = Literal["alerts", "trips", "digest", "health"]

GROUPS: Final[dict[MessageKind, KindGroup]] = {
    "opened": "alerts",
    "raised": "alerts",
    "updated": "alerts",
    "reminder": "alerts",
    "acknowledged": "alerts",
    "expected": "alerts",
    "reopened": "alerts",
    "resolved": "alerts",
    "mute_ended": "alerts",
    "digest": "digest",
    "health": "health",
    "health_over": "health",
    "would_trip": "trips",
    "trip_held": "trips",
    "trip_asked": "trips",
    "trip_not_approved": "trips",
    "autotrip": "trips",
    "trip_ordered": "trips",
    "trip_contained": "trips",
    "trip_partial": "trips",
    "trip_effective": "trips",
    "trip_silent": "trips",
    "restored": "trips",
}
"""The kinds of message by what they are about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What routes look at. Of several agents, roles and the like one that matches is enough.

    Parameters
    ----------
    owner
        Who is responsible; by default whom `Routing.owner_of` finds.
    """

    group: KindGroup
    severity: Severity
    agents: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    detectors: tuple[str, ...] = ()
    data_classes: tuple[str, ...] = ()
    owner: str | None = None

    @classmethod
    def of(cls, message: Message) -> "Subject":
        """What a message is about."""
        alert, incident = message.alert, message.incident
        agents, roles = [message.agent_id], [message.role]
        detectors: list[str] = []
        data_classes: list[str | None] = []
        if alert is not None:
            roles.append(alert.role)
            detectors += [*alert.detectors, alert.worst.detector]
            data_classes.append(alert.worst.data_class)
        if incident is not None:
            agents += incident.agents
            detectors += incident.detectors
            if incident.bond == "role":
                roles.append(incident.common)
        return cls(
            group=GROUPS[message.kind],
            severity=message.severity,
            agents=_distinct(agents),
            roles=_distinct(roles),
            detectors=_distinct(detectors),
            data_classes=_distinct(data_classes),
            owner=message.owner or (incident.owner if incident else None),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who is responsible for agents of these roles, and for these agents: shell patterns.

    Parameters
    ----------
    slack
        Id of the user or user group that Slack mentions.
    """

    name: str
    roles: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    slack: str | None = None

    def owns(self, subject: Subject) -> bool:
        """Whether one of the agents or roles is this owner's."""
        return _any(self.agents, subject.agents) or _any(self.roles, subject.roles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where messages go; every condition that is given must hold.

    Parameters
    ----------
    severity
        At least this severe.
    roles, detectors, owners, data_classes, agents
        Shell patterns; an empty one does not narrow.
    kinds
        Groups of kinds; none: all.
    go_on
        Whether the routes behind this one are asked, too.
    """

    name: str
    receivers: tuple[str, ...]
    severity: Severity = Severity.LOW
    roles: tuple[str, ...] = ()
    detectors: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    data_classes: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    kinds: tuple[KindGroup, ...] = ()
    go_on: bool = False

    def matches(self, subject: Subject) -> bool:
        """Whether the route takes messages about this."""
        return (
            subject.severity >= self.severity
            and (not self.kinds or subject.group in self.kinds)
            and _narrows(self.roles, subject.roles)
            and _narrows(self.detectors, subject.detectors)
            and _narrows(self.owners, (subject.owner,) if subject.owner else ())
            and _narrows(self.data_classes, subject.data_classes)
            and _narrows(self.agents, subject.agents)
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """Who hears of a message, and why: the names of the routes that took it, none if none did."""

    receivers: tuple[str, ...]
    routes: tuple[str, ...]
    owner: Owner | None


@dataclass(slots=True)
class Routing(Sequence[str]):
    """Every receiver's name, and which of them a message goes to.

    It stands wherever a plain sequence of names may stand; the outbox asks it about each message.

    Parameters
    ----------
    names
        Of all receivers.
    routes
        Asked in turn.
    fallback
        Who hears what no route takes, and what every receiver of a message has refused for good.
    owners
        The first one that owns an agent or a role is named.
    """

    names: tuple[str, ...]
    routes: tuple[Route, ...] = ()
    fallback: tuple[str, ...] = ()
    owners: tuple[Owner, ...] = ()

    def follow(self, other: "Routing") -> None:
        """Choose as another one does from now on, for everybody who holds this one."""
        self.routes, self.fallback, self.owners = other.routes, other.fallback, other.owners

    def receivers(self, message: Message) -> tuple[str, ...]:
        """Whom a message goes to."""
        return self.choose(Subject.of(message)).receivers

    def choose(self, subject: Subject) -> Choice:
        """Whom messages about this go to, and why."""
        owner = self.owner_of(subject)
        if subject.owner is None and owner is not None:
            subject = replace(subject, owner=owner.name)
        taken: list[Route] = []
        for route in self.routes:
            if route.matches(subject):
                taken.append(route)
                if not route.go_on:
                    break
        chosen = _distinct(name for route in taken for name in route.receivers)
        names = tuple(route.name for route in taken)
        return Choice(chosen or self.fallback or self.names, names, owner)

    def owner_of(self, subject: Subject) -> Owner | None:
        """Who is responsible: by name if it is known, else the first that owns a part of it."""
        if subject.owner is not None:
            return next((owner for owner in self.owners if owner.name == subject.owner), None)
        return next((owner for owner in self.owners if owner.owns(subject)), None)

    @property
    def asks_for_role(self) -> bool:
        """Whether any choice hangs on a role."""
        return any(route.roles for route in self.routes) or any(o.roles for o in self.owners)

    def addressed(self, message: Message, role: str | None = None) -> Message:
        """The message with its agent's role, and with who is responsible, where that is known.

        Parameters
        ----------
        role
            Of the agent, for a message that does not say it.
        """
        if message.role is None and role is not None:
            message = message.model_copy(update={"role": role})
        owner = self.owner_of(Subject.of(message))
        if owner is None:
            return message
        return message.model_copy(update={"owner": owner.name, "mention": owner.slack})

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return self.names[index]


def _distinct(texts: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def _narrows(patterns: Sequence[str], texts: Iterable[str]) -> bool:
    return not patterns or _any(patterns, texts)


def _any(patterns: Sequence[str], texts: Iterable[str]) -> bool:
    return any(fnmatchcase(text, pattern) for text in texts for pattern in patterns)
