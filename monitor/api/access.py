"""Who may do what: bearer tokens and their roles.

A request is checked against the store each time: a token that was revoked or has expired is
refused by the next answer. Without any token ever made, whoever is on this host may ask, and
nobody may order.
"""

import ipaddress
import re
from typing import Annotated, Final

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from monitor.api.answers import log_down
from monitor.api.backend import Backend, StoreDownError
from monitor.ledger import tokens
from monitor.ledger.tokens import Role

ANYBODY: Final = "anonymous"
UNCHECKED: Final = "unchecked"

_bearer = HTTPBearer(auto_error=False, description="A token of `tripswitch token add`.")
_PORT: Final = re.compile(r":\d*\Z")


async def _backend(request: Request) -> Backend:
    backend: Backend = request.app.state.backend
    return backend


BackendOf = Annotated[Backend, Depends(_backend)]


class Gate:
    """A dependency: the actor, `token:NAME`, if its token has the role or a higher one.

    Parameters
    ----------
    role
        What is needed.
    even_unchecked
        Let a request in as `UNCHECKED` while the store cannot be reached; the route then answers
        without it.
    """

    def __init__(self, role: Role, *, even_unchecked: bool = False) -> None:
        self.role = role
        self._even_unchecked = even_unchecked

    async def __call__(
        self,
        request: Request,
        backend: BackendOf,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> str:
        """Who asks."""
        try:
            if credentials is None:
                return await self._without_token(request, backend)
            return await self._with_token(backend, credentials.credentials)
        except StoreDownError as error:
            if not self._even_unchecked:
                raise
            log_down(request, error)
            return UNCHECKED

    async def _with_token(self, backend: Backend, secret: str) -> str:
        token = await backend.read(lambda ledger, now_s: tokens.find(ledger, secret, now_s))
        if token is None:
            raise _refused("no such token, or it has expired or was revoked")
        if not token.role.covers(self.role):
            why = f"the token {token.name} is of role {token.role}; this needs {self.role}"
            raise HTTPException(403, why)
        return token.actor

    async def _without_token(self, request: Request, backend: Backend) -> str:
        if "authorization" in request.headers:
            raise _refused("write the token as `Authorization: Bearer tsw_…`")
        if await backend.read(lambda ledger, _: tokens.any_known(ledger)):
            raise _refused("this needs a token: `Authorization: Bearer tsw_…`")
        asks = self.role is Role.VIEWER
        if asks and backend.config.serve.is_local and _asks_locally(request):
            return ANYBODY
        how = f"`tripswitch token add NAME --role {self.role}` on the server's host makes one"
        raise _refused(f"this needs a token of role {self.role}: {how}")


Viewer = Annotated[str, Depends(Gate(Role.VIEWER))]
Operator = Annotated[str, Depends(Gate(Role.OPERATOR))]
Admin = Annotated[str, Depends(Gate(Role.ADMIN))]
Gateway = Annotated[str, Depends(Gate(Role.VIEWER, even_unchecked=True))]


def _refused(why: str) -> HTTPException:
    return HTTPException(401, why, {"WWW-Authenticate": "Bearer"})


def _asks_locally(request: Request) -> bool:
    """Whether this host was asked for by its own name: a page in a browser here has another."""
    host = _PORT.sub("", request.headers.get("host", "")).strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
