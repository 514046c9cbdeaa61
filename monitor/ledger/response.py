"""How a service responds to anomalies, as its settings say."""

from collections.abc import Sequence
from dataclasses import dataclass

from alerting.trip_policy import Guards, Rule


@dataclass(frozen=True, slots=True)
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
    """

    rules: Sequence[Rule]
    guards: Guards
    receivers: Sequence[str]
    points: Sequence[str]
    quiet_s: float
    alerts_per_week: float | None = None
