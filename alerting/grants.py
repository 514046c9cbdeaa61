"""Grants: what an agent may do, for how long, and why. Default is no.

A grant's scope covers a request if both are the same text, or if the scope, read as a shell
pattern, matches it: `mail.*` covers `mail.send`. What is asked for is never read as a pattern.
"""

from collections.abc import Iterable
from dataclasses import dataclass
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


def allowed(state: AgentState, grants: Iterable[Grant], scope: str, now_s: float) -> bool:
    """Whether an agent in `state` that holds `grants` may act in `scope`."""
    return state not in BLOCKED and any(g.is_valid(now_s) and g.covers(scope) for g in grants)
