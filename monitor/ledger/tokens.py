"""Tokens of the HTTP API: who may ask and order over the network, until when, in which role.

A secret is 256 random bits; the store has its SHA-256 alone. Nothing slower is needed: nobody
guesses such a secret, whatever a guess costs.
"""

import hashlib
import hmac
import re
import secrets
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from monitor.errors import NotFoundError, UsageError
from monitor.ledger import audit
from monitor.store.schema import tokens

PREFIX: Final = "tsw_"
"""By which scanners of source code find a secret that leaked."""
_ACTOR: Final = "token:"
_SECRET_BYTES: Final = 32
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_BY_DIGEST: Final = select(tokens).where(tokens.c.digest == bindparam("of_digest"))
"""Built once: it is asked before each action of each agent."""


class Role(StrEnum):
    """What a token may do; each role may all that those before it may."""

    VIEWER = "viewer"
    """Ask."""
    OPERATOR = "operator"
    """Cut agents off, give them back, grant and revoke."""
    ADMIN = "admin"
    """Make and revoke tokens."""

    def covers(self, needed: "Role") -> bool:
        """Whether this role may do what `needed` may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Token:
    """One token, without its secret. Times are seconds since the epoch."""

    token_id: str
    name: str
    role: Role
    created_by: str
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    revoked_by: str | None

    @property
    def actor(self) -> str:
        """Its name in the audit."""
        return f"{_ACTOR}{self.name}"

    def is_valid(self, now_s: float) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now_s < self.expires_at)


def add(
    connection: Connection,
    *,
    name: str,
    role: Role,
    by: str,
    now_s: float,
    lasts_s: float | None = None,
) -> tuple[Token, str]:
    """Make a token; returns it with its secret, which nobody can read again.

    A name is used once, so that the audit's `token:NAME` always means the same one.

    Raises
    ------
    UsageError
        If the name is none, or is or was in use.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r:.80} is no name for a token: up to 64 letters, digits, and . _ @ -"
        )
    audit.lock(connection)
    if known := _by_name(connection, name):
        standing = "is in use" if known.is_valid(now_s) else "was in use"
        raise UsageError(f"the name {name} {standing}: the audit knows one token by it; take a new")
    secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    token_id = uuid.uuid4().hex[:12]
    connection.execute(
        insert(tokens).values(
            token_id=token_id,
            name=name,
            role=role,
            digest=_digest(secret),
            created_by=by,
            created_at=now_s,
            expires_at=None if lasts_s is None else now_s + lasts_s,
        )
    )
    token = get(connection, name)
    _log(connection, token, "token added", by, now_s)
    return token, secret


def revoke(connection: Connection, name: str, *, by: str, now_s: float) -> Token:
    """Revoke a token, from now on; one that is revoked already stays as it is.

    Raises
    ------
    NotFoundError
        If there is none of that name.
    """
    audit.lock(connection)
    token = get(connection, name)
    if token.revoked_at is not None:
        return token
    connection.execute(
        update(tokens)
        .where(tokens.c.token_id == token.token_id)
        .values(revoked_at=now_s, revoked_by=by)
    )
    _log(connection, token, "token revoked", by, now_s)
    return get(connection, name)


def find(connection: Connection, secret: str, now_s: float) -> Token | None:
    """The valid token with this secret."""
    digest = _digest(secret)
    row = connection.execute(_BY_DIGEST, {"of_digest": digest}).one_or_none()
    if row is None or not hmac.compare_digest(row.digest, digest):
        return None
    token = _token(row)
    return token if token.is_valid(now_s) else None


def get(connection: Connection, name: str) -> Token:
    """The token of this name.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    token = _by_name(connection, name)
    if token is None:
        raise NotFoundError(f"no token {name!r:.80}; `tripswitch token list` lists them")
    return token


def makers(connection: Connection, actor: str) -> list[str]:
    """Who made the token that an actor is, who made that one's token, and so on to a person."""
    found: list[str] = []
    while actor.startswith(_ACTOR):
        token = _by_name(connection, actor.removeprefix(_ACTOR))
        if token is None or token.created_by in found:  # in a circle: somebody changed the table
            break
        actor = token.created_by
        found.append(actor)
    return found


def list_tokens(connection: Connection) -> list[Token]:
    """All tokens, the newest first."""
    query = select(tokens).order_by(tokens.c.created_at.desc(), tokens.c.name)
    return [_token(row) for row in connection.execute(query)]


def any_known(connection: Connection) -> bool:
    """Whether a token was ever made, though it may have ended since."""
    return connection.execute(select(tokens.c.token_id).limit(1)).first() is not None


def any_valid(connection: Connection, now_s: float) -> bool:
    """Whether anybody can authenticate now."""
    return any(token.is_valid(now_s) for token in list_tokens(connection))


def _by_name(connection: Connection, name: str) -> Token | None:
    row = connection.execute(select(tokens).where(tokens.c.name == name)).one_or_none()
    return None if row is None else _token(row)


def _token(row: Row[Any]) -> Token:
    values = dict(row._mapping)  # noqa: SLF001 # public, in spite of its name
    values.pop("digest")
    return Token(**{**values, "role": Role(values["role"])})


def _log(connection: Connection, token: Token, action: str, by: str, now_s: float) -> None:
    audit.append(
        connection,
        at_s=now_s,
        actor=by,
        action=action,
        subject=token.actor,
        doc={"token_id": token.token_id, "role": token.role, "expires_at": token.expires_at},
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
