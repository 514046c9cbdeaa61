"""From the settings to what decides: the policy of detection and the response to anomalies."""

from alerting.policy import Guards, Rule
from baselines.effect import EffectMap
from detectors.boundary import Limits
from detectors.budget import Budget
from detectors.shard import Policy
from monitor.config import Config
from monitor.ledger.intake import Response


def detection(config: Config) -> Policy:
    """What is odd."""
    return Policy.of(
        Budget(config.budget.alerts_per_agent_per_week),
        limits=[Limits(**dict(boundary)) for boundary in config.boundaries],
        effects=EffectMap(config.effects),
        promote_runs=config.learning.promote_runs,
        promote_after_s=config.learning.promote_after_s,
    )


def response(config: Config, receivers: tuple[str, ...], points: tuple[str, ...]) -> Response:
    """What is done about it.

    Parameters
    ----------
    config
        The settings.
    receivers, points
        Names of those who are told, and of what a trip drives.
    """
    trip = config.trip
    rules = [
        Rule(
            name=rule.name,
            enforce=rule.mode == "enforce",
            severity=rule.severity,
            detectors=rule.detectors,
            roles=rule.roles,
            agents=rule.agents,
        )
        for rule in trip.rules
    ]
    guards = Guards(trip.max_automatic_per_hour, trip.protected_agents, trip.max_event_age_s)
    return Response(rules, guards, receivers, points, config.alerts.quiet_s)
