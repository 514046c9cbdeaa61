"""Grants: what an agent may do, for how long, and why. Default is no.

A grant's scope covers a request if both are the same text, or if the scope, read as a shell
pattern, matches it: `mail.*` covers `mail.send`. What is asked for is never read as a pattern.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from alerting.killswitch import BLOCKED, AgentState


@dataclass(frozen=True, slots=True)
class Grant:
    """One grant as the registry keeps it. Times are seconds since the epoch.

    Parameters
    ----------
    expires_at
        From then on it is not valid; None for a standing grant.
    revoked_by
        `trip:ID`, `blocked:ID` if it was added while the agent was cut off, or who revoked it.
    """

    grant_id: str
    agent_id: str
    scope: str
    reason: str
    granted_by: str
    granted_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    revoked_by: str | None = None

    def is_valid(self, now_s: float) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now_s < self.expires_at)

    def covers(self, scope: str) -> bool:
        """Whether this grant's scope is, or matches, the scope asked for."""
        return scope == self.scope or fnmatchcase(scope, self.scope)


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a gateway that asks whether an agent may act in a scope.

    Attributes
    ----------
    reason
        Why, in words for whoever reads the gateway's log.
    grant
        The grant on which a yes rests.
    """

    agent_id: str
    state: AgentState
    scope: str
    allowed: bool
    reason: str
    grant: Grant | None = None


def decide(
    agent_id: str, state: AgentState, grants: Iterable[Grant], scope: str, now_s: float
) -> Decision:
    """Whether an agent in `state` that holds `grants`, valid or not, may act in `scope`, and why.

    Of several valid grants the one that lasts longest is named.
    """
    covering = [grant for grant in grants if grant.covers(scope)]
    valid = [grant for grant in covering if grant.is_valid(now_s)]
    if state in BLOCKED:
        return Decision(agent_id, state, scope, allowed=False, reason=f"the agent is {state}")
    if valid:
        best = max(valid, key=lambda grant: grant.expires_at or float("inf"))
        lasts = "without an end" if best.expires_at is None else f"until {_iso(best.expires_at)}"
        return Decision(agent_id, state, scope, True, f"granted {lasts}", best)
    why = "no grant covers it"
    if covering:
        last = max(covering, key=lambda grant: grant.granted_at)
        if last.revoked_at is not None:
            why = f"its grant was revoked at {_iso(last.revoked_at)} by {last.revoked_by}"
        elif last.expires_at is not None:
            why = f"its grant expired at {_iso(last.expires_at)}"
    return Decision(agent_id, state, scope, allowed=False, reason=why)


def _iso(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="seconds")
