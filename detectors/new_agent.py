"""New agent: an identity that nobody declared, such as an agent somebody runs on the side."""

from collections.abc import Sequence

from baselines.profile import Observation
from detectors.explain import name
from detectors.finding import Finding, Severity
from detectors.pattern import Patterns, matches


class NewAgent:
    """Alarms once, at the first event of an agent that is not among the declared ones.

    An agent that has a profile already is not new; nothing is learned here, so nothing is held.

    Parameters
    ----------
    declared
        Shell patterns of agent ids; at least one.
    """

    name = "new_agent"

    def __init__(self, declared: Patterns) -> None:
        self._declared = declared

    def judge(self, seen: Observation) -> Sequence[Finding]:
        """At most one finding, and only of a profile's first event."""
        if seen.profile.events or matches(self._declared, seen.event.agent_id):
            return ()
        event = seen.event
        role = f" of role {name(seen.role)}" if seen.role else ""
        parent = f", started by {name(event.parent_agent_id)}" if event.parent_agent_id else ""
        user = f", on behalf of {name(event.user_id)}" if event.user_id else ""
        return [
            Finding(
                detector=self.name,
                subject=self.name,
                episode="agent",
                observed=1.0,
                expected=0.0,
                unit="agents that nobody declared",
                threshold=0.0,
                p_value=None,
                calibration="declared",
                severity=Severity.HIGH,
                text=(
                    f"an agent{role} that nobody declared acts: it used {name(seen.tool)}"
                    f"{parent}{user}"
                ),
            )
        ]
