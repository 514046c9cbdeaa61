"""The settings that say what is odd: budget, learning, boundaries."""

from typing import Annotated

from pydantic import Field

from baselines.event import DataClass
from detectors.finding import SeverityField
from monitor.config_section import Section


class BudgetConfig(Section):
    """How many false alarms people can bear; thresholds follow."""

    alerts_per_agent_per_week: Annotated[float, Field(gt=0, le=10_000)] = 1.0


class LearningConfig(Section):
    """When something that was alarmed on becomes normal."""

    promote_runs: Annotated[int, Field(ge=1)] = 4
    """In how many distinct runs a quarantined term must have been seen …"""
    promote_after_s: Annotated[float, Field(ge=0)] = 86_400.0
    """… and over how long a time."""


class BoundaryConfig(Section):
    """What agents may do at most; checked for every event, no learning needed."""

    agents: tuple[str, ...] = ()
    """Agent ids as shell patterns; none: every agent of the roles."""
    roles: tuple[str, ...] = ()
    """Roles as shell patterns; none: every role."""
    tools: tuple[str, ...] | None = None
    """Allowed tools as shell patterns."""
    targets: tuple[str, ...] | None = None
    """Allowed targets as shell patterns."""
    data_classes: tuple[DataClass, ...] | None = None
    never: tuple[str, ...] = ()
    """Actions and effects never allowed, such as `delete` or `destructive`."""
    severity: SeverityField = Field(default="high", validate_default=True)
