"""What the parts share: a job, the policy under test, and what counts as an alarm."""

from collections.abc import Callable
from typing import Any, NamedTuple

from detectors.finding import Anomaly
from detectors.shard import Policy
from monitor import policies
from monitor.config import Config
from monitor.config_detection import BudgetConfig, LearningConfig


class Job(NamedTuple):
    """A call that depends on its arguments alone."""

    call: Callable[..., Any]
    arguments: tuple[Any, ...]


def settings(budget: float, *, cohorts: bool = True) -> Config:
    """The default settings, but for the budget and the prior of little history."""
    return Config(
        budget=BudgetConfig(alerts_per_agent_per_week=budget),
        learning=LearningConfig(cohorts=cohorts),
    )


def policy(budget: float, *, cohorts: bool = True) -> Policy:
    """What decides what is odd, at a budget of alerts per agent and week."""
    return policies.detection(settings(budget, cohorts=cohorts))


def would_alert(anomaly: Anomaly) -> bool:
    """Whether people would be told."""
    return not anomaly.shadow


def episode(anomaly: Anomaly) -> str:
    """The run that an anomaly lies in; without a `trace_id`, the agent's hour."""
    return anomaly.trace_id or f"{anomaly.time:%Y-%m-%dT%H}"
