"""Enforcement points beside the built-in ones: webhooks, commands, plugins."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from alerting.revoke.command import check_arguments
from alerting.revoke.template import check, check_tree
from monitor.config_checks import ENV_PREFIX
from monitor.config_section import Seconds, Section

RESERVED_NAMES: Final = frozenset({"registry", "kafka"})
_PATH: Final = re.compile(r"/[!$&'()*+,\-./0-9:;=@A-Z_a-z~{}%]*")
_OWN_HEADERS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_SECRET: Final = re.compile(
    r"(?!.*_(file|variable)$).*(authorization|cookie|token|api[-_]?key|secret|passw).*",
    re.IGNORECASE,
)
"""Keys and headers whose value would be a secret."""


def _path(path: str) -> str:
    if not _PATH.fullmatch(path):
        raise ValueError(f"{path!r} is no path such as /agents/$agent_id/block")
    return check(path)


def _headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    for name, text in headers.items():
        if name.lower() in _OWN_HEADERS:
            raise ValueError(f"header {name} is not for settings")
        if not (text.isascii() and text.isprintable() and text.strip() == text):
            raise ValueError(f"header {name} is to be printable ASCII without spaces around it")
        check(text, ("token",))
        if _SECRET.fullmatch(name) and "$token" not in text:
            raise ValueError(
                f"header {name} is a secret and does not belong in this file; write $token, and "
                "where that is by token_file or token_variable"
            )
    return headers


def _no_secret(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    for key, value in settings.items():
        if _SECRET.fullmatch(key):
            raise ValueError(f"{key} is a secret and does not belong in this file; use {key}_file")
        if isinstance(value, Mapping):
            _no_secret(value)
    return settings


def _arguments(arguments: tuple[str, ...]) -> tuple[str, ...]:
    check_arguments(arguments)
    return arguments


def _url(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#@]*)?", url, re.ASCII):
        raise ValueError(f"{url!r:.200} is no URL such as https://gateway.example, without a query")
    return url


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name, re.IGNORECASE | re.ASCII):
        raise ValueError(f"{name!r:.60} is no name of an environment variable")
    if name.upper().startswith(ENV_PREFIX):
        raise ValueError(f"{name}: the variables that begin with {ENV_PREFIX} are settings")
    return name


HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
Status = Annotated[int, Field(ge=100, le=599)]
Arguments = Annotated[tuple[str, ...], AfterValidator(_arguments)]
Variable = Annotated[str, AfterValidator(_variable)]
Url = Annotated[str, AfterValidator(_url)]


class RequestConfig(Section):
    """An HTTP request whose texts may hold `$agent_id` and the like."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    path: Annotated[str, AfterValidator(_path)]
    query: Annotated[dict[str, str], AfterValidator(check_tree)] = Field(default_factory=dict)
    headers: Annotated[dict[HeaderName, str], AfterValidator(_headers)] = Field(
        default_factory=dict
    )
    """May hold `$token`, too."""
    body: Annotated[dict[str, Any] | list[Any] | None, AfterValidator(check_tree)] = None
    """By default the whole order, for a method with a body."""
    encoding: Literal["json", "form"] = "json"
    success: tuple[Status, ...] = ()
    """Statuses that mean done; by default 200 to 299."""
    already_done: tuple[Status, ...] = ()
    """Statuses that mean that nothing was left to do; a wrong path answers 404, too."""

    @model_validator(mode="after")
    def _form_is_flat(self) -> Self:
        if self.encoding == "form" and not (
            isinstance(self.body, dict) and all(isinstance(v, str) for v in self.body.values())
        ):
            raise ValueError("the body of a form is one table of texts")
        return self


class QuestionConfig(RequestConfig):
    """How to ask a gateway where an agent stands."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    field: str | None = None
    """Of the answer's JSON, such as `agent.state`."""
    revoked: tuple[str | bool | int, ...] = ()
    """Its values that mean cut off; any other means active."""
    revoked_statuses: tuple[Status, ...] = ()
    active_statuses: tuple[Status, ...] = ()

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

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"

    @model_validator(mode="after")
    def _names_no_order(self) -> Self:
        texts = [self.path, *self.query.values(), str(self.body), *self.headers.values()]
        if any("$" in text.replace("$token", "") for text in texts):
            raise ValueError("a check is about no order: $token alone can stand in it")
        return self


class PointSection(Section):
    """What every point has."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
    timeout_s: Seconds | None = None
    """Of one attempt; by default `trip.point_timeout_s`."""
    max_parallel: Annotated[int, Field(ge=1, le=64)] = 8
    """Attempts at once."""


class WebhookPointConfig(PointSection):
    """A gateway that is told over HTTP."""

    kind: Literal["webhook"]
    url: Url
    revoke: RequestConfig
    restore: RequestConfig
    verify: QuestionConfig | None = None
    check: ReadinessConfig | None = None
    secret_file: Path | None = None
    secret_variable: Variable | None = None
    """Where the key of the signature is."""
    token_file: Path | None = None
    token_variable: Variable | None = None
    """Where `$token` is."""
    signature_header: HeaderName = "X-Tripswitch-Signature"
    timestamp_header: HeaderName = "X-Tripswitch-Timestamp"
    idempotency_header: HeaderName = "Idempotency-Key"
    ca_file: Path | None = None
    client_cert_file: Path | None = None
    client_key_file: Path | None = None
    proxy: Url | None = None

    @model_validator(mode="after")
    def _is_known_to_the_gateway(self) -> Self:
        if not (self._has("secret") or self._has("token") or self.client_cert_file):
            raise ValueError(
                "a webhook needs secret_file or secret_variable to be signed with, or a token or "
                "a client certificate"
            )
        requests = (self.revoke, self.restore, self.verify, self.check)
        texts = [text for request in requests if request for text in request.headers.values()]
        if not self._has("token") and any(re.search(r"\$\{?token", text) for text in texts):
            raise ValueError("$token is used: set token_file or token_variable")
        return self

    def _has(self, what: str) -> bool:
        found = [getattr(self, f"{what}_{place}") for place in ("file", "variable")]
        if all(found):
            raise ValueError(f"set {what}_file or {what}_variable, not both")
        return any(found)


class CommandPointConfig(PointSection):
    """A command, by argument lists."""

    kind: Literal["command"]
    revoke: Arguments
    restore: Arguments
    verify: Arguments | None = None
    check: Arguments | None = None
    variables: tuple[Variable, ...] = ()
    """Environment variables that it gets beside PATH, LANG and the order's."""


class PluginPointConfig(PointSection):
    """An installed package's point."""

    kind: Literal["plugin"]
    plugin: str
    """Its name in the entry point group `tripswitch.enforcement_points`."""
    settings: Annotated[dict[str, Any], AfterValidator(_no_secret)] = Field(default_factory=dict)


def _names_differ(points: Sequence[PointSection]) -> Sequence[PointSection]:
    seen = set(RESERVED_NAMES)
    for point in points:
        if point.name in seen:
            raise ValueError(f"two enforcement points are called {point.name!r}")
        seen.add(point.name)
    return points


PointConfig = Annotated[
    WebhookPointConfig | CommandPointConfig | PluginPointConfig, Field(discriminator="kind")
]
PointConfigs = Annotated[tuple[PointConfig, ...], AfterValidator(_names_differ)]
