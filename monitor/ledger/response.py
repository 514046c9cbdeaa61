"""How a service responds to anomalies, as its settings say."""

from collections.abc import Sequence
from dataclasses import dataclass

from alerting.trip_policy import Guards, Rule


@dataclass(slots=True)
class Response:
    """How this service responds to anomalies.

    Parameters
    ----------
    rules, guards
        Of automatic trips.
    receivers
        Names of those who are told, or what chooses among them for each message.
    points
        Names of the enforcement points that a trip drives.
    quiet_s
        After so long without an anomaly an alert is over.
    alerts_per_week
        The fleet's cap on alerts of learned findings; None: there is none.
    together_s, storm_agents
        Agents that turn odd within so long belong together; more than so many are a storm.
    """

    rules: Sequence[Rule]
    guards: Guards
    receivers: Sequence[str]
    points: Sequence[str]
    quiet_s: float
    alerts_per_week: float | None = None
    together_s: float = 300.0
    storm_agents: int = 50

    def follow(self, other: "Response") -> None:
        """Respond as another one does from now on, for everybody who holds this one.

        Who can be told, and which points there are, stays.
        """
        self.rules, self.guards, self.quiet_s = other.rules, other.guards, other.quiet_s
        self.alerts_per_week = other.alerts_per_week
        self.together_s, self.storm_agents = other.together_s, other.storm_agents
