"""Whether an anomaly cuts its agent off by itself: rules, their modes, and the guards. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Final, Literal

from alerting.alert import Alert
from detectors.finding import Anomaly, Severity

Mode = Literal["observe", "approve", "enforce"]
OnTimeout = Literal["nothing", "trip"]

_STRONGEST_FIRST: Final[dict[Mode, int]] = {"enforce": 0, "approve": 1, "observe": 2}


@dataclass(frozen=True, slots=True)
class Rule:
    """When an anomaly cuts its agent off; every condition that is given must hold.

    Parameters
    ----------
    name
        For people, the audit, and the choice of a share.
    mode
        `observe` says what would have been done, `approve` asks a person, `enforce` does it.
    severity
        At least this severe.
    detectors, roles, data_classes, agents
        Shell patterns; an empty one does not narrow.
    share
        For so large a part of the agents the mode holds; the others are observed.
    approve_within_s, on_timeout
        How long a question waits for a person, and what happens then.
    """

    name: str
    mode: Mode = "observe"
    severity: Severity = Severity.CRITICAL
    detectors: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    data_classes: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    share: float = 1.0
    approve_within_s: float = 900.0
    on_timeout: OnTimeout = "nothing"

    def matches(self, anomaly: Anomaly) -> bool:
        """Whether the rule is about this anomaly."""
        return (
            anomaly.severity >= self.severity
            and _narrows(self.detectors, anomaly.detector)
            and _narrows(self.roles, anomaly.role or "")
            and _narrows(self.data_classes, anomaly.data_class or "")
            and _narrows(self.agents, anomaly.agent_id)
        )

    def mode_for(self, agent_id: str) -> Mode:
        """The mode for one agent: `observe` where it is not of the chosen share.

        The choice hangs on the rule's name and the agent's id alone, so every process makes the
        same one, and an agent that is chosen stays so when the share grows.
        """
        if self.share >= 1.0 or self.mode == "observe":
            return self.mode
        digest = hashlib.sha256(
            f"{len(self.name)}:{self.name}:{agent_id}".encode("utf-8", "replace")
        )
        place = int.from_bytes(digest.digest()[:8]) / 2**64
        return self.mode if place < self.share else "observe"


def _narrows(patterns: Sequence[str], text: str) -> bool:
    return not patterns or any(fnmatchcase(text, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Lately:
    """What the store tells the guards at the time of a decision.

    Parameters
    ----------
    trips
        Automatic trips of the whole fleet in the last hour.
    paused
        Why and until when automatic trips are paused, in words; None while they are not.
    restored_at
        When the agent was last given back by a person, if ever.
    """

    trips: int = 0
    paused: str | None = None
    restored_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Objection:
    """Why not to trip: the guard's name, and words for people."""

    guard: Literal["protected", "uncalibrated", "old", "restored", "paused", "cap"]
    words: str


@dataclass(frozen=True, slots=True)
class Guards:
    """What holds an automatic trip back. A person's order passes them all.

    Parameters
    ----------
    max_per_hour
        Automatic trips of the whole fleet in any hour.
    protected_agents
        Shell patterns of agents that only a person may cut off.
    max_event_age_s
        Nothing automatic on evidence older than this.
    """

    max_per_hour: int = 5
    protected_agents: tuple[str, ...] = ()
    max_event_age_s: float = 900.0

    def objection(
        self, anomaly: Anomaly, alert: Alert, weighed_at: datetime, lately: Lately
    ) -> Objection | None:
        """Why not to trip automatically; None if nothing speaks against it.

        Parameters
        ----------
        weighed_at
            When the rule came upon the evidence: now, or when a person was asked about it.
        """
        age_s = (weighed_at - anomaly.time).total_seconds()
        if any(fnmatchcase(anomaly.agent_id, pattern) for pattern in self.protected_agents):
            return Objection("protected", "the agent is protected: only a person may cut it off")
        if not alert.calibrated:
            return Objection("uncalibrated", "every finding so far is uncalibrated")
        if age_s > self.max_event_age_s:
            limit = f"over the limit of {self.max_event_age_s:.0f} s"
            return Objection("old", f"the evidence is {age_s:.0f} s old, {limit}")
        if lately.restored_at is not None and anomaly.time <= lately.restored_at:
            return Objection("restored", "a person restored the agent after this evidence")
        if lately.paused is not None:
            return Objection("paused", lately.paused)
        if lately.trips >= self.max_per_hour:
            return Objection(
                "cap", f"{lately.trips} automatic trips in the last hour reach the cap"
            )
        return None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a rule makes of an anomaly.

    Parameters
    ----------
    outcome
        `trip`; `ask` a person; `would_trip` (mode observe); `held` by a guard.
    reason
        For people.
    objection
        Of the guard that held it.
    """

    outcome: Literal["trip", "ask", "would_trip", "held"]
    rule: Rule
    reason: str
    objection: Objection | None = None


def decide_trip(
    rules: Sequence[Rule],
    guards: Guards,
    anomaly: Anomaly,
    alert: Alert,
    now: datetime,
    lately: Lately,
) -> Decision | None:
    """What a matching rule makes of an anomaly: one that enforces, or else one that asks.

    Nothing is made of one in shadow, whatever the rules say. A question to a person passes the
    guards: they hold back what nobody decided.

    Parameters
    ----------
    rules, guards
        From the config.
    anomaly, alert
        The new anomaly and the alert that it joined.
    now
        As for `fold`.
    lately
        What else the guards weigh, as it is at `now`.
    """
    if anomaly.shadow:
        return None
    modes = [(rule, rule.mode_for(anomaly.agent_id)) for rule in rules if rule.matches(anomaly)]
    if not modes:
        return None
    rule, mode = min(modes, key=lambda each: _STRONGEST_FIRST[each[1]])
    reason = f"rule {rule.name}: {anomaly.text}"
    if mode == "approve":
        return Decision("ask", rule, reason)
    objection = guards.objection(anomaly, alert, now, lately)
    if objection is None:
        return Decision("trip" if mode == "enforce" else "would_trip", rule, reason)
    return Decision("held", rule, objection.words, objection) if mode == "enforce" else None
