"""The settings of automatic trips, and of what follows a trip."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from alerting.trip_policy import Mode, OnTimeout
from baselines.event import DataClass
from detectors.finding import SeverityField
from monitor.config_section import Seconds, Section


class TripRule(Section):
    """When an alert cuts an agent off. All conditions that are given must hold."""

    name: Annotated[str, Field(min_length=1)]
    """What the audit calls it. Example: `"payroll-boundary"`"""
    mode: Mode = "observe"
    """`observe` only says what it would have done, `approve` asks a person, `enforce` does it."""
    severity: SeverityField = Field(default="critical", validate_default=True)
    """At least this severe: low, medium, high or critical."""
    detectors: tuple[str, ...] = ()
    """With an anomaly of one of these. Example: `["boundary"]`"""
    roles: tuple[str, ...] = ()
    """Of agents of these roles, as shell patterns. Example: `["payroll"]`"""
    data_classes: tuple[DataClass, ...] = ()
    """About data of these classes. Example: `["restricted"]`"""
    agents: tuple[str, ...] = ()
    """Of these agents, as shell patterns. Example: `["payroll-*"]`"""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Part of the agents that it is in force for, always the same ones; it observes the others."""
    approve_within_s: Seconds = 900.0
    """With `approve`: how long the question waits for a person …"""
    on_timeout: OnTimeout = "nothing"
    """… and what happens then."""


class TripConfig(Section):
    """Automatic trips and what follows a trip."""

    rules: tuple[TripRule, ...] = (TripRule(name="critical"),)
    max_automatic_per_hour: Annotated[int, Field(ge=0)] = 5
    """Of the whole fleet; what is beyond it pages instead."""
    protected_agents: tuple[str, ...] = ()
    """Never cut off by a rule, as shell patterns. Example: `["incident-bot"]`"""
    max_event_age_s: Seconds = 900.0
    """Nothing automatic on evidence older than this."""
    allowed_skew_s: Annotated[float, Field(ge=0)] = 2.0
    """How far the clocks of producers, brokers and this host may differ."""
    silent_after_s: Seconds = 30.0
    """So long without an effective action is silence."""
    probation_s: Seconds = 3600.0
    """So long a restored agent is on probation; `restore --probation 2h` for one."""
    probation_factor: Annotated[float, Field(ge=1, le=1000)] = 10.0
    """So many times more of what an agent on probation does may alarm."""
    second_person_within_s: Seconds = 900.0
    """How long an order about a role or the fleet waits for another person to confirm it."""
    point_timeout_s: Seconds = 5.0
    """Of one attempt at an enforcement point."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [rule.name for rule in self.rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"two rules are named {twice[0]!r}: rename one, audit and shares tell by the name"
            )
        return self
