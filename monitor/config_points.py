"""Enforcement points beside the built-in ones: webhooks, commands, plugins."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from alerting.revoke.command import check_arguments
from alerting.revoke.orders import KAFKA, PLACEHOLDERS
from monitor.config_section import Seconds, Section
from monitor.config_wire import (
    Method,
    RequestSection,
    ServerSection,
    Status,
    Url,
    Variable,
    refuse_secrets_in,
)

RESERVED_NAMES: Final = frozenset({"registry", KAFKA})


def _arguments(arguments: tuple[str, ...]) -> tuple[str, ...]:
    check_arguments(arguments)
    return arguments


Arguments = Annotated[tuple[str, ...], AfterValidator(_arguments)]


class RequestConfig(RequestSection):
    """A request about an order; its body is by default the whole order."""

    path: Annotated[str, Field(min_length=1)]
    """Behind the URL; placeholders such as $agent_id may stand in it. Example:
    `"/agents/$agent_id/contain"`"""
    already_done: tuple[Status, ...] = ()
    """Statuses that mean that nothing was left to do; a wrong path answers 404, too. Example:
    `[409]`"""

    @model_validator(mode="after")
    def _placeholders_exist(self) -> Self:
        self.check_placeholders(PLACEHOLDERS)
        return self


class QuestionConfig(RequestConfig):
    """How to ask a gateway where an agent stands."""

    method: Method = "GET"
    """GET, HEAD, POST, PUT, PATCH or DELETE."""
    field: str | None = None
    """Of the answer's JSON. Example: `"agent.state"`"""
    revoked: tuple[str | bool | int, ...] = ()
    """Its values that mean cut off; any other means active. Example: `["contained"]`"""
    revoked_statuses: tuple[Status, ...] = ()
    """Statuses that mean cut off … Example: `[423]`"""
    active_statuses: tuple[Status, ...] = ()
    """… and that mean active. Example: `[404]`"""

    @model_validator(mode="after")
    def _can_tell(self) -> Self:
        by_field = self.field is not None and self.revoked
        if not (by_field or (self.revoked_statuses and self.active_statuses)):
            raise ValueError(
                "say which field and which of its values mean revoked, or revoked_statuses and "
                "active_statuses"
            )
        return self


class ReadinessConfig(RequestConfig):
    """What to ask to know that a gateway is there; about no order."""

    path: Annotated[str, Field(min_length=1)]
    """Behind the URL. Example: `"/health"`"""
    method: Method = "GET"
    """GET, HEAD, POST, PUT, PATCH or DELETE."""

    @model_validator(mode="after")
    def _names_no_order(self) -> Self:
        texts = [self.path, *self.query.values(), str(self.body), *self.headers.values()]
        if any("$" in text.replace("$token", "") for text in texts):
            raise ValueError("a check is about no order: $token alone can stand in it")
        return self


class PointSection(Section):
    """What every point has."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
    """What trips call it. Example: `"gateway"`"""
    timeout_s: Seconds | None = None
    """Of one attempt; by default `trip.point_timeout_s`. Example: `20`"""
    max_parallel: Annotated[int, Field(ge=1, le=64)] = 8
    """Attempts at once."""


class WebhookPointConfig(PointSection, ServerSection):
    """A gateway that is told over HTTP."""

    kind: Literal["webhook"]
    url: Url
    """Where it is. Example: `"https://gateway.corp.example/api"`"""
    revoke: RequestConfig
    restore: RequestConfig
    verify: QuestionConfig | None = None
    check: ReadinessConfig | None = None

    @model_validator(mode="after")
    def _is_known_to_the_gateway(self) -> Self:
        if not (self.has("secret") or self.has("token") or self.client_cert_file):
            raise ValueError(
                "a webhook needs secret_file or secret_variable to be signed with, or a token or "
                "a client certificate"
            )
        requests = (self.revoke, self.restore, self.verify, self.check)
        self.check_token([request for request in requests if request is not None])
        return self


class CommandPointConfig(PointSection):
    """A command, by argument lists without a shell; a placeholder is a whole argument."""

    kind: Literal["command"]
    revoke: Arguments
    """Cuts the agent off. Example: `["/usr/local/bin/iam-user", "disable", "--", "$agent_id"]`"""
    restore: Arguments
    """Gives back. Example: `["/usr/local/bin/iam-user", "enable", "--", "$agent_id"]`"""
    verify: Arguments | None = None
    """Tells whether the last order is in force: exit code 0, it is; 1, it is not. Example:
    `["/usr/local/bin/iam-user", "follows-order"]`"""
    check: Arguments | None = None
    """Tells by 0 that it could act; about no agent. Example: `["/usr/local/bin/iam-user",
    "ping"]`"""
    variables: tuple[Variable, ...] = ()
    """Environment variables that it gets beside PATH, LANG and the order's. Example:
    `["AWS_PROFILE"]`"""


class PluginPointConfig(PointSection):
    """An installed package's point."""

    kind: Literal["plugin"]
    plugin: str
    """Its name in the entry point group `tripswitch.enforcement_points`. Example:
    `"tripswitch-vault"`"""
    settings: Annotated[dict[str, Any], AfterValidator(refuse_secrets_in)] = Field(
        default_factory=dict
    )
    """The plugin's own. Example: `{ url = "https://vault.corp.example" }`"""


def _names_differ(points: Sequence[PointSection]) -> Sequence[PointSection]:
    seen = set(RESERVED_NAMES)
    for point in points:
        if point.name in seen:
            raise ValueError(f"two enforcement points are called {point.name!r}: rename one")
        seen.add(point.name)
    return points


PointConfig = Annotated[
    WebhookPointConfig | CommandPointConfig | PluginPointConfig, Field(discriminator="kind")
]
PointConfigs = Annotated[tuple[PointConfig, ...], AfterValidator(_names_differ)]
