"""Lately: the alerts that were opened in the last minutes, and what they have in common. Pure."""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, NamedTuple

from alerting.alert import Alert

MAX_RECENT: Final = 1001
"""So many are remembered; a storm is one of fewer."""
ENOUGH_ALIKE: Final = 3
"""So many agents of one role, or of one version, are no coincidence."""


class Recent(NamedTuple):
    """An alert that was opened lately."""

    at: datetime
    incident_id: str
    agent_id: str
    role: str | None
    version: str | None
    parent: str | None

    @classmethod
    def of(cls, alert: Alert) -> "Recent":
        """An alert, by what speaks for it."""
        worst = alert.worst
        return cls(alert.opened_at, alert.incident_id, alert.agent_id, worst.role,
                   worst.agent_version, worst.parent_agent_id)  # fmt: skip


class Lately:
    """Alerts in order of their opening; those older than `lasts_s` are forgotten.

    Attributes
    ----------
    by_agent, by_incident
        How many of them are of which agent, and of which incident.
    """

    __slots__ = ("_alerts", "_lasts_s", "by_agent", "by_incident")

    def __init__(self, lasts_s: float, alerts: Iterable[Alert] = ()) -> None:
        self._lasts_s = lasts_s
        self._alerts: deque[Recent] = deque()
        self.by_agent: Counter[str] = Counter()
        self.by_incident: Counter[str] = Counter()
        for alert in alerts:
            self.add(alert)

    def add(self, alert: Alert) -> None:
        """Take an alert in that was placed."""
        one = Recent.of(alert)
        self._alerts.append(one)
        self.by_agent[one.agent_id] += 1
        self.by_incident[one.incident_id] += 1
        if len(self._alerts) > MAX_RECENT:
            self._forget_first()

    def pass_to(self, now: datetime) -> None:
        """Forget what is not lately any more."""
        while self._alerts and (now - self._alerts[0].at).total_seconds() > self._lasts_s:
            self._forget_first()

    def delegated_by(self, parent: str) -> str | None:
        """The incident of an agent to whom this one delegated, too."""
        return next((one.incident_id for one in self._alerts if one.parent == parent), None)

    def of_role_and_version(self, role: str, version: str) -> str | None:
        """The incident of an agent that has both."""
        both = (role, version)
        found = (one.incident_id for one in self._alerts if (one.role, one.version) == both)
        return next(found, None)

    def of_version(self, version: str, agent_id: str) -> str | None:
        """The incident of agents of a version, if with this agent there are many."""
        return self._of_many(lambda one: one.version == version, agent_id)

    def of_role(self, role: str, agent_id: str) -> str | None:
        """The incident of agents of a role, if with this agent there are many."""
        return self._of_many(lambda one: one.role == role, agent_id)

    def _of_many(self, is_alike: Callable[[Recent], bool], agent_id: str) -> str | None:
        alike = [one for one in self._alerts if is_alike(one)]
        if len({one.agent_id for one in alike} | {agent_id}) < ENOUGH_ALIKE:
            return None
        return alike[-1].incident_id  # where the last one went, the story is told

    def _forget_first(self) -> None:
        gone = self._alerts.popleft()
        for counter, key in ((self.by_agent, gone.agent_id), (self.by_incident, gone.incident_id)):
            counter[key] -= 1
            if not counter[key]:
                del counter[key]
