"""From the settings to the routes: what a command needs that tells nobody itself."""

from alerting.routes import Routing, Subject
from detectors.finding import Severity
from monitor.config import Config


def routing(config: Config) -> Routing:
    """Whom to tell of what."""
    return Routing(
        names=config.receiver_names,
        routes=tuple(
            route.made(f"route {number}") for number, route in enumerate(config.routes, 1)
        ),
        fallback=config.alerts.fallback,
        owners=tuple(owner.made() for owner in config.owners),
    )


def fallback(config: Config) -> tuple[str, ...]:
    """Who gets what all its receivers have refused for good."""
    return config.alerts.fallback or config.receiver_names


def told_of_order(
    config: Config, *, agent_id: str | None = None, role: str | None = None
) -> list[str]:
    """Names of the receivers that would hear of an order about an agent, a role, or everyone."""
    subject = Subject(
        group="trips",
        severity=Severity.CRITICAL,
        agents=(agent_id,) if agent_id is not None else (),
        roles=(role,) if role is not None else (),
    )
    return list(routing(config).choose(subject).receivers)
