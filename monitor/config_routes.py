"""The settings that say who hears of what, and who is responsible for which agents."""

from collections.abc import Collection, Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from alerting.routes import KindGroup, Owner, Route
from baselines.event import DataClass
from detectors.finding import SeverityField
from monitor.config_checks import nearest
from monitor.config_section import Section


def _texts(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Names = Annotated[tuple[str, ...], BeforeValidator(_texts), Field(min_length=1)]


class OwnerConfig(Section):
    """Who is responsible for agents of these roles, and for these agents: shell patterns."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    """Who: it stands in messages, and digests are told by it. Example: `"team-payments"`"""
    roles: Texts = ()
    """Roles. Example: `["payroll"]`"""
    agents: Texts = ()
    """Agent ids. Example: `["ledger-*"]`"""
    slack: Annotated[str, Field(pattern=r"^[USW][A-Z0-9]{2,30}$")] | None = None
    """Id of the user (`U…`) or user group (`S…`) that Slack mentions. Example: `"S0123456789"`"""

    @model_validator(mode="after")
    def _owns_something(self) -> Self:
        if not (self.roles or self.agents):
            raise ValueError(f"owner {self.name!r} owns nothing: give it roles or agents")
        return self

    def made(self) -> Owner:
        """The owner that these settings describe."""
        return Owner(name=self.name, roles=self.roles, agents=self.agents, slack=self.slack)


class RouteConfig(Section):
    """Where messages go. All conditions that are given must hold; texts are shell patterns."""

    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """For `tripswitch routes`; by default `route N`. Example: `"payroll"`"""
    receivers: Names
    """Who is told. Example: `["terminal"]`"""
    severity: SeverityField = Field(default="low", validate_default=True)
    """At least this severe: low, medium, high or critical."""
    roles: Texts = ()
    """Of agents of these roles. Example: `["payroll"]`"""
    detectors: Texts = ()
    """With an anomaly of one of these. Example: `["new_*"]`"""
    owners: Texts = ()
    """Of agents of these owners. Example: `["team-*"]`"""
    data_classes: Annotated[tuple[DataClass, ...], BeforeValidator(_texts)] = ()
    """About data of these classes. Example: `["confidential", "restricted"]`"""
    agents: Texts = ()
    """Of these agents. Example: `["payroll-*"]`"""
    kinds: Annotated[tuple[KindGroup, ...], BeforeValidator(_texts)] = ()
    """Of alerts, trips, digest, health; by default all. Example: `["alerts", "trips"]`"""
    go_on: bool = Field(default=False, alias="continue")
    """Ask the next routes, too."""

    def made(self, name: str) -> Route:
        """The route that these settings describe."""
        values = {key: getattr(self, key) for key in type(self).model_fields if key != "name"}
        return Route(name=self.name or name, **values)


def _names_differ(owners: Sequence[OwnerConfig]) -> Sequence[OwnerConfig]:
    names = [owner.name for owner in owners]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two owners are called {twice[0]!r}; one can have many roles and agents")
    return owners


def _route_names_differ(routes: Sequence[RouteConfig]) -> Sequence[RouteConfig]:
    names = [route.name for route in routes if route.name is not None]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two routes are called {twice[0]!r}: rename one")
    return routes


OwnerConfigs = Annotated[tuple[OwnerConfig, ...], AfterValidator(_names_differ)]
RouteConfigs = Annotated[tuple[RouteConfig, ...], AfterValidator(_route_names_differ)]


def check_receivers(
    routes: Sequence[RouteConfig], fallback: Sequence[str], known: Collection[str]
) -> None:
    """Refuse routes to receivers that the settings do not have.

    Raises
    ------
    ValueError
        Naming the route, the receiver, and those that there are.
    """
    named = [(f"route {number}", route.receivers) for number, route in enumerate(routes, 1)]
    for where, names in [*named, ("alerts.fallback", fallback)]:
        for name in names:
            if name not in known:
                there = ", ".join(known) or "none"
                raise ValueError(
                    f"{where} names {name!r:.60}, which is no receiver here"
                    f"{nearest(name, known)}; there are: {there}"
                )
