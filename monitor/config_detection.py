"""The settings that say what is odd: budget, learning, boundaries."""

from typing import Annotated

from pydantic import Field

from detectors.drift import BREADTH, LEVEL_FACTOR, LIMIT
from detectors.privilege import GIVE_BACK_AFTER_S, MORE_THAN_EVER
from monitor.config_section import Seconds, Section


class BudgetConfig(Section):
    """How many false alarms people can bear; thresholds follow."""

    alerts_per_agent_per_week: Annotated[float, Field(ge=1e-6, le=10_000)] = 1.0
    """Of each agent, on average; every threshold follows from it."""
    alerts_per_week: Annotated[float, Field(ge=0)] | None = None
    """The fleet's cap: alerts of learned findings beyond it are kept, not sent; none by default.
    Example: `20`"""


class LearningConfig(Section):
    """When something that was alarmed on becomes normal."""

    promote_runs: Annotated[int, Field(ge=1)] = 4
    """In how many distinct runs a quarantined term must have been seen …"""
    promote_after_s: Annotated[float, Field(ge=0)] = 6 * 3600.0
    """… and over how long a time."""
    strict_runs: Annotated[int, Field(ge=1)] = 5
    """The same for what a tool's result brought into an external or destructive action: runs …"""
    strict_after_s: Annotated[float, Field(ge=0)] = 86_400.0
    """… and time."""
    cohorts: bool = True
    """Whether agents with little history lean on others of their role."""


class DriftConfig(Section):
    """How far an agent may move away from its approved profile."""

    limit: Annotated[float, Field(gt=0, le=1)] = LIMIT
    """Share of a week's runs that may do what lies beyond it."""
    level_factor: Annotated[float, Field(gt=1)] = LEVEL_FACTOR
    """How many times the calls and bytes per active hour that were usual when it was approved."""
    breadth: Annotated[float, Field(gt=0)] = BREADTH
    """How many terms beyond it may be used for each approved one; ten, whatever is approved."""


class PrivilegeConfig(Section):
    """Elevated grants: how long and how many."""

    give_back_after_s: Seconds = GIVE_BACK_AFTER_S
    """Held for longer, and for longer than this agent usually does, a grant is an alert."""
    more_than_ever: Annotated[int, Field(ge=1)] = MORE_THAN_EVER
    """By how many scopes it may hold more at once than it ever did."""


class CombinationConfig(Section):
    """What makes a run toxic: untrusted content, confidential data, then an external send."""

    untrusted_tools: tuple[str, ...] | None = None
    """Tools that return what strangers wrote, as shell patterns; by default told by their names.
    Example: `["fetch_*", "read_inbox"]`"""
    confidential_targets: tuple[str, ...] = ()
    """Targets that are confidential whatever class is reported, as shell patterns. Example:
    `["/vault/*"]`"""
