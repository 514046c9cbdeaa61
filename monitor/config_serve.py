"""The settings of the HTTP API."""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from monitor.config_section import Seconds, Section


class ServeConfig(Section):
    """The HTTP API, `tripswitch serve`."""

    enabled: bool = False
    """Whether `tripswitch run` starts it as a child."""
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """Beyond this host it needs a token and TLS."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8377
    """0 for any free one."""
    on_store_failure: Literal["closed", "open"] = "closed"
    """What a gateway is told while the store cannot be reached: refused, or allowed."""
    store_timeout_s: Seconds = 2.0
    """A store that has not answered a question by then counts as out of reach."""
    tls_certfile: Path | None = None
    """The certificate, with what it was signed by … Example: `"/etc/tripswitch/serve.pem"`"""
    tls_keyfile: Path | None = None
    """… and its key. Example: `"/etc/tripswitch/serve.key"`"""
    insecure_http: bool = False
    """Listen beyond this host without TLS, as behind a proxy that has it."""

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_certfile is None) is not (self.tls_keyfile is None):
            raise ValueError("tls_certfile and tls_keyfile go together: set both, or neither")
        return self

    @property
    def is_local(self) -> bool:
        """Whether only this host can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"
