"""The settings of HTTP: requests made from templates, and the server that they go to."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from alerting.wire.template import check, check_tree, leaves
from monitor.config_checks import ENV_PREFIX
from monitor.config_section import Section

_PATH: Final = re.compile(r"/[!$&'()*+,\-./0-9:;=@A-Z_a-z~{}%]*")
_OWN_HEADERS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_SECRET: Final = re.compile(
    r"(?!.*_(file|variable)$).*(authorization|cookie|token|api[-_]?key|secret|passw).*",
    re.IGNORECASE,
)
"""Keys and headers whose value would be a secret."""


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
Variable = Annotated[str, AfterValidator(_variable)]
Url = Annotated[str, AfterValidator(_url)]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


def refuse_secrets_in(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuse tables with a key that would hold a secret.

    Raises
    ------
    ValueError
        Naming the key, and the one that goes in its place.
    """
    for key, value in settings.items():
        if _SECRET.fullmatch(key):
            raise ValueError(f"{key} is a secret and does not belong in this file; use {key}_file")
        if isinstance(value, Mapping):
            refuse_secrets_in(value)
    return settings


class RequestSection(Section):
    """An HTTP request whose texts may hold `$agent_id` and the like."""

    method: Method = "POST"
    """GET, HEAD, POST, PUT, PATCH or DELETE."""
    path: str = ""
    """Behind the URL; placeholders may stand in it. Example: `"/incidents"`"""
    query: dict[str, str] = Field(default_factory=dict)
    """What follows the path; no secrets, for URLs are logged. Example: `{ source = "tripswitch"
    }`"""
    headers: dict[HeaderName, str] = Field(default_factory=dict)
    """May hold `$token`, too. Example: `{ Authorization = "Bearer $token" }`"""
    body: dict[str, Any] | list[Any] | None = None
    """A table or a list with placeholders; by default all there is to tell, for a method with a
    body. Example: `{ source = "tripswitch" }`"""
    encoding: Literal["json", "form"] = "json"
    """json or form."""
    success: tuple[Status, ...] = ()
    """Statuses that mean done; by default 200 to 299. Example: `[200, 202]`"""

    @field_validator("path")
    @classmethod
    def _is_path(cls, path: str) -> str:
        if path and not _PATH.fullmatch(path):
            raise ValueError(f"{path!r} is no path such as /agents/$agent_id/block")
        return path

    @field_validator("query")
    @classmethod
    def _is_query(cls, query: dict[str, str]) -> dict[str, str]:
        for name in query:
            if _SECRET.fullmatch(name):
                raise ValueError(f"{name} is a secret, and a URL is logged: put it into a header")
        return query

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, text in headers.items():
            if name.lower() in _OWN_HEADERS:
                raise ValueError(f"header {name} is not for settings")
            if not (text.isascii() and text.isprintable() and text.strip() == text):
                raise ValueError(f"header {name} is to be printable ASCII without spaces around it")
            if _SECRET.fullmatch(name) and "$token" not in text:
                raise ValueError(
                    f"header {name} is a secret and does not belong in this file; write $token, "
                    "and where that is by token_file or token_variable"
                )
        return headers

    @model_validator(mode="after")
    def _form_is_flat(self) -> Self:
        if self.encoding == "form" and not (
            isinstance(self.body, dict) and all(isinstance(v, str) for v in self.body.values())
        ):
            raise ValueError("the body of a form is one table of texts")
        return self

    def check_placeholders(self, known: Sequence[str], tables: Sequence[str] = ()) -> None:
        """Refuse texts with a placeholder that does not exist.

        Parameters
        ----------
        known
            What may stand everywhere; in headers and body `$token` may, too.
        tables
            What stands for data, and so only in the body, and alone.

        Raises
        ------
        ValueError
            Naming the placeholder and those that there are.
        """
        check(self.path, known)
        check_tree(self.query, known)
        check_tree(self.headers, (*known, "token"))
        check_tree(self.body, (*known, "token", *tables), tables)

    @property
    def names_token(self) -> bool:
        """Whether `$token` stands in it."""
        texts = [*self.headers.values(), *leaves(self.body)]
        return any(re.search(r"(?<!\$)(\$\$)*\$\{?token\b", text) for text in texts)


class ServerSection(Section):
    """A server that is told over HTTP: how it knows us, and how to get there."""

    secret_file: Path | None = None
    """Where the key of the signature is … Example: `"/run/secrets/gateway"`"""
    secret_variable: Variable | None = None
    """… or in which environment variable. Example: `"GATEWAY_SECRET"`"""
    token_file: Path | None = None
    """Where `$token` is … Example: `"/run/secrets/gateway-token"`"""
    token_variable: Variable | None = None
    """… or in which environment variable. Example: `"GATEWAY_TOKEN"`"""
    signature_header: HeaderName = "X-Tripswitch-Signature"
    """The header of the signature …"""
    timestamp_header: HeaderName = "X-Tripswitch-Timestamp"
    """… of the moment that it was signed at …"""
    idempotency_header: HeaderName = "Idempotency-Key"
    """… and of what is the same for each repeat of a request."""
    ca_file: Path | None = None
    """Who signed the server's certificate; by default whom the system trusts. Example:
    `"/etc/tripswitch/gateway-ca.pem"`"""
    client_cert_file: Path | None = None
    """Our certificate, where the server asks for one … Example: `"/etc/tripswitch/client.pem"`"""
    client_key_file: Path | None = None
    """… and its key. Example: `"/etc/tripswitch/client.key"`"""
    proxy: Url | None = None
    """By which proxy it is reached; variables of the environment are not followed. Example:
    `"http://proxy.corp.example:3128"`"""

    def has(self, what: str) -> bool:
        """Whether the settings say where this secret is.

        Raises
        ------
        ValueError
            If they say it twice.
        """
        found = [getattr(self, f"{what}_{place}") for place in ("file", "variable")]
        if all(found):
            raise ValueError(f"set {what}_file or {what}_variable, not both")
        return any(found)

    def check_token(self, requests: list[RequestSection]) -> None:
        """Refuse requests that name a token that nobody gave.

        Raises
        ------
        ValueError
            Naming the keys that are missing.
        """
        if not self.has("token") and any(request.names_token for request in requests):
            raise ValueError("$token is used: set token_file or token_variable")
