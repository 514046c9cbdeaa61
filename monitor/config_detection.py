"""The settings that say what is odd: budget, learning, boundaries."""

from typing import Annotated

from pydantic import Field

from monitor.config_section import Section


class BudgetConfig(Section):
    """How many false alarms people can bear; thresholds follow."""

    alerts_per_agent_per_week: Annotated[float, Field(gt=0, le=10_000)] = 1.0
    alerts_per_week: Annotated[float, Field(ge=0)] | None = None
    """The fleet's cap: alerts of learned findings beyond it are kept, not sent; none by default."""


class LearningConfig(Section):
    """When something that was alarmed on becomes normal."""

    promote_runs: Annotated[int, Field(ge=1)] = 4
    """In how many distinct runs a quarantined term must have been seen …"""
    promote_after_s: Annotated[float, Field(ge=0)] = 86_400.0
    """… and over how long a time."""
