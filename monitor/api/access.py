"""Who may do what: bearer tokens and their roles.

A request is checked against the store each time: a token that was revoked or has expired is
refused by the next answer. Without any token ever made, whoever is on this host may ask, and
nobody may order.
"""

import ipaddress
import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Final

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Connection

from monitor.api.backend import Backend
from monitor.ledger import tokens
from monitor.ledger.tokens import Role

ANYBODY: Final = "anonymous"

_bearer = HTTPBearer(auto_error=False, description="A token of `tripswitch token add`.")
_PORT: Final = re.compile(r":\d*\Z")


async def _backend(request: Request) -> Backend:
    backend: Backend = request.app.state.backend
    return backend


BackendOf = Annotated[Backend, Depends(_backend)]
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


Admission = Callable[[Connection, float], str]
"""Says who asks, from a ledger transaction and the time; raises if that one may not."""


class Gate:
    """A dependency: the actor, `token:NAME`, if its token has the role or a higher one.

    Parameters
    ----------
    role
        What is needed.
    """

    def __init__(self, role: Role) -> None:
        self._role = role

    async def __call__(self, request: Request, backend: BackendOf, credentials: Credentials) -> str:
        """Who asks."""
        return await backend.read(_admission(self._role, request, backend, credentials))


async def _gateway(request: Request, backend: BackendOf, credentials: Credentials) -> Admission:
    """Left to the route, which asks it in the transaction of its own question."""
    return _admission(Role.VIEWER, request, backend, credentials)


Viewer = Annotated[str, Depends(Gate(Role.VIEWER))]
Operator = Annotated[str, Depends(Gate(Role.OPERATOR))]
Admin = Annotated[str, Depends(Gate(Role.ADMIN))]
Gateway = Annotated[Admission, Depends(_gateway)]


def _admission(
    role: Role, request: Request, backend: Backend, credentials: Credentials
) -> Admission:
    if credentials is not None:
        return partial(_with_token, role, credentials.credentials)
    if "authorization" in request.headers:
        raise _refused("write the token as `Authorization: Bearer tsw_…`")
    reads = role is Role.VIEWER and backend.config.serve.is_local and _asks_locally(request)
    return partial(_without_token, role, reads)


def _with_token(role: Role, secret: str, ledger: Connection, now_s: float) -> str:
    token = tokens.find(ledger, secret, now_s)
    if token is None:
        raise _refused(
            "no such token, or it has expired or was revoked; `tripswitch token add` makes one"
        )
    if not token.role.covers(role):
        why = f"the token {token.name} is of role {token.role}; this needs {role}"
        raise HTTPException(403, why)
    return token.actor


def _without_token(role: Role, reads: bool, ledger: Connection, _now_s: float) -> str:
    if tokens.any_known(ledger):
        raise _refused(
            "this needs a token: `Authorization: Bearer tsw_…`; `tripswitch token add` makes one"
        )
    if not reads:
        how = f"`tripswitch token add NAME --role {role}` on the server's host makes one"
        raise _refused(f"this needs a token of role {role}: {how}")
    return ANYBODY


def _refused(why: str) -> HTTPException:
    return HTTPException(401, why, {"WWW-Authenticate": "Bearer"})


def _asks_locally(request: Request) -> bool:
    """Whether this host was asked for by its own name: a page in a browser here has another."""
    host = _PORT.sub("", request.headers.get("host", "")).strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
