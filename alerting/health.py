"""Health: when what is wrong with the monitor itself begins, and when it ends.

Rules
-----
1. A trouble becomes a condition once it lasts for its rule's `begins_after_s`, and the condition
   ends once there was no such trouble for `ends_after_s`: what flaps is one condition.
2. A condition that holds explains those that follow from it: they are kept, and nobody is told,
   unless they outlast it.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from alerting.health_rules import RULES, ConditionKind
from detectors.finding import Severity

MAX_CONDITIONS: Final = 200
"""So many hold at once at most; subjects are sources, receivers and points, so there are few."""


class Key(NamedTuple):
    """What makes a condition one: its kind, and which source, receiver, point or process."""

    kind: ConditionKind
    subject: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong at this moment."""

    kind: ConditionKind
    subject: str
    text: str

    @property
    def key(self) -> Key:
        """What it is about."""
        return Key(self.kind, self.subject)


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that has been wrong for long enough to be told.

    Attributes
    ----------
    since_s
        Since when, in seconds since the epoch.
    explained_by
        The kind of the condition that it follows from; then nobody is told of it.
    """

    kind: ConditionKind
    subject: str
    text: str
    since_s: float
    explained_by: ConditionKind | None = None

    @property
    def key(self) -> Key:
        """What it is about."""
        return Key(self.kind, self.subject)

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return RULES[self.kind].severity


@dataclass(slots=True)
class Vigil:
    """Turns troubles that come and go into conditions that begin and end.

    Attributes
    ----------
    held
        The conditions that hold, by what they are about.
    """

    held: dict[Key, Condition] = field(default_factory=dict)
    _bad_since: dict[Key, float] = field(default_factory=dict)
    _bad_last: dict[Key, float] = field(default_factory=dict)

    def resume(self, condition: Condition, now_s: float) -> None:
        """Take over a condition that held before a restart; it ends like any other."""
        self.held[condition.key] = condition
        self._bad_last[condition.key] = now_s

    def judge(self, troubles: Collection[Trouble], now_s: float) -> None:
        """Take in all troubles that there are at this moment."""
        now = {trouble.key: trouble for trouble in troubles}
        for key in self._bad_since.keys() - now.keys():
            del self._bad_since[key]
        for key, trouble in now.items():
            self._bad_last[key] = now_s
            since_s = self._bad_since.setdefault(key, now_s)
            known = self.held.get(key)
            if known is not None:
                self.held[key] = replace(known, text=trouble.text)
            elif (
                now_s - since_s >= RULES[key.kind].begins_after_s
                and len(self.held) < MAX_CONDITIONS
            ):
                self.held[key] = Condition(trouble.kind, trouble.subject, trouble.text, since_s)
        for key in self.held.keys() - now.keys():
            if now_s - self._bad_last[key] >= RULES[key.kind].ends_after_s:
                del self.held[key]
        for key in self._bad_last.keys() - now.keys() - self.held.keys():
            del self._bad_last[key]
        for key, condition in self.held.items():
            self.held[key] = replace(condition, explained_by=self._cause(key.kind))

    def _cause(self, kind: ConditionKind) -> ConditionKind | None:
        """The worst condition that explains this one."""
        for cause, rule in RULES.items():
            if kind in rule.explains and any(key.kind == cause for key in self.held):
                return cause
        return None


def is_ready(conditions: Collection[Condition]) -> bool:
    """Whether agents are watched and people are told: nothing critical holds."""
    return all(condition.severity < Severity.CRITICAL for condition in conditions)
