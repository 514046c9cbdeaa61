"""From the settings to what decides: the policy of detection and the response to anomalies."""

from collections.abc import Sequence

from alerting.trip_policy import Guards, Rule
from baselines.effect import EffectMap
from baselines.exposure import Exposure
from baselines.rules import Learning
from detectors.budget import Budget
from detectors.combination import Combination
from detectors.drift import Drift
from detectors.hours import Hours
from detectors.limits import ALWAYS, Limits, Permit
from detectors.policy import Policy
from detectors.privilege import Privilege
from monitor.config import Config
from monitor.config_boundaries import BoundaryConfig, PermitConfig, zone
from monitor.ledger.response import Response


def detection(config: Config) -> Policy:
    """What is odd."""
    return Policy.of(
        Budget(config.budget.alerts_per_agent_per_week),
        limits=[limits(boundary) for boundary in config.boundaries],
        declared=config.agents.declared,
        effects=EffectMap(config.effects),
        learning=Learning(**dict(config.learning)),
        across=(
            Drift(**dict(config.drift)),
            Privilege(config.privilege.give_back_after_s, config.privilege.more_than_ever),
            Combination(),
        ),
        exposure=Exposure(
            config.combination.untrusted_tools, config.combination.confidential_targets
        ),
        probation_factor=config.trip.probation_factor,
    )


def limits(boundary: BoundaryConfig) -> Limits:
    """One declared boundary."""
    return Limits(
        agents=boundary.agents,
        roles=boundary.roles,
        tools=boundary.tools,
        targets=boundary.targets,
        data_classes=boundary.data_classes,
        never=boundary.never,
        hours=_hours(boundary.hours, boundary.timezone),
        permits=tuple(_permit(permit, boundary.timezone) for permit in boundary.permits),
        severity=boundary.severity,
        shadow=boundary.mode == "shadow",
    )


def _permit(permit: PermitConfig, timezone: str) -> Permit:
    return Permit(
        until_s=permit.until.timestamp(),
        since_s=permit.since.timestamp() if permit.since else ALWAYS,
        reason=permit.reason,
        agents=permit.agents,
        tools=permit.tools,
        targets=permit.targets,
        data_classes=permit.data_classes,
        verbs=permit.verbs,
        hours=_hours(permit.hours, timezone),
    )


def _hours(texts: Sequence[str] | None, timezone: str) -> Hours | None:
    return None if texts is None else Hours.parse(texts, zone(timezone))


def response(config: Config, receivers: Sequence[str], points: tuple[str, ...]) -> Response:
    """What is done about it.

    Parameters
    ----------
    config
        The settings.
    receivers
        Names of those who are told, or what chooses among them for each message.
    points
        Names of what a trip drives.
    """
    trip = config.trip
    rules = [
        Rule(
            name=rule.name,
            mode=rule.mode,
            severity=rule.severity,
            detectors=rule.detectors,
            roles=rule.roles,
            data_classes=rule.data_classes,
            agents=rule.agents,
            share=rule.share,
            approve_within_s=rule.approve_within_s,
            on_timeout=rule.on_timeout,
        )
        for rule in trip.rules
    ]
    guards = Guards(trip.max_automatic_per_hour, trip.protected_agents, trip.max_event_age_s)
    return Response(
        rules,
        guards,
        receivers,
        points,
        config.alerts.quiet_s,
        config.budget.alerts_per_week,
        config.alerts.together_s,
        config.alerts.storm_agents,
    )
