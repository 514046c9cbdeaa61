"""The HTTP API from the other side, for people and scripts without access to the store."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

from alerting.render import clean
from monitor.errors import ExitCode, NotFoundError, TripswitchError, UsageError

if TYPE_CHECKING:  # it takes its time to load, and most commands ask no server
    import httpx

TOKEN_VARIABLE: Final = "TRIPSWITCH_TOKEN"  # noqa: S105 # a name, no secret
TOKEN_FILE_VARIABLE: Final = "TRIPSWITCH_TOKEN_FILE"  # noqa: S105 # likewise

_TIMEOUT_S: Final = 10.0
_ANSWER_S: Final = 120.0
"""A kill answers once each enforcement point was tried."""
_MAX_CHARS: Final = 500
_REFUSED: Final = (401, 403, 409)


class ServerError(TripswitchError):
    """The server cannot be reached, or does not answer as a Tripswitch does."""


class RefusedError(TripswitchError):
    """The server refuses: the token, its role, or what was asked."""

    exit_code = ExitCode.FAILED


def find_token(file: Path | None = None) -> str | None:
    """The token from a file, from the variable TRIPSWITCH_TOKEN, or from TRIPSWITCH_TOKEN_FILE.

    Raises
    ------
    UsageError
        If the file cannot be read, or is empty.
    """
    if file is None:
        if token := os.environ.get(TOKEN_VARIABLE, "").strip():
            return token
        named = os.environ.get(TOKEN_FILE_VARIABLE)
        if not named:
            return None
        file = Path(named)
    try:
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or error
        raise UsageError(f"token file {file}: {said}; name another by --token-file") from None
    if not token:
        raise UsageError(
            f"token file {file}: is empty; put the secret there that `tripswitch token add` printed"
        )
    return token


class ServerClient:
    """A `tripswitch serve` elsewhere. Each answer is the document that the API tells.

    Every method raises `ServerError` if the server cannot be reached, `RefusedError` for a token
    that does not suffice, and `NotFoundError` and `UsageError` as the command line would.

    Parameters
    ----------
    url
        Such as `https://tripswitch.corp.example:8377`. For a certificate of an own authority set
        the variable SSL_CERT_FILE.
    token
        The secret of a token; None asks without.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        import httpx

        parsed = _parsed(url)
        headers = {"Accept": "application/json"}
        if token is not None:
            if not token.isascii() or not token.isprintable():
                raise UsageError(
                    "the token holds characters that no token has; look at TRIPSWITCH_TOKEN, or at "
                    "the file that --token-file names"
                )
            headers["Authorization"] = f"Bearer {token}"
        self.url = str(parsed.copy_with(userinfo=b""))
        timeout = httpx.Timeout(_TIMEOUT_S, read=_ANSWER_S)
        self._client = httpx.Client(base_url=parsed, headers=headers, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def kill(self, agent: str, reason: str, *, dry_run: bool = False) -> dict[str, Any]:
        """Cut an agent off; the document of `tripswitch kill --json`, with its `exit_code`."""
        return self._post(_path(agent, "kill"), {"reason": reason, "dry_run": dry_run})

    def restore(
        self,
        agent: str,
        reason: str,
        *,
        probation_s: float | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Give an agent back; the document of `tripswitch restore --json`."""
        body = {"reason": reason, "probation_s": probation_s, "dry_run": dry_run}
        return self._post(_path(agent, "restore"), body)

    def kill_many(self, role: str | None, reason: str, *, dry_run: bool = False) -> dict[str, Any]:
        """Ask to cut off a role, None: every agent; another person has to approve it."""
        return self._post("/v1/holds", {**_many(role), "reason": reason, "dry_run": dry_run})

    def restore_many(
        self,
        role: str | None,
        reason: str,
        *,
        probation_s: float | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """End such an order; the document of `tripswitch restore --role --json`."""
        body = {"reason": reason, "probation_s": probation_s, "dry_run": dry_run}
        return self._post("/v1/holds/lift", {**_many(role), **body})

    def holds(self, limit: int = 20) -> list[dict[str, Any]]:
        """Orders about many, those that are on first."""
        found: list[dict[str, Any]] = self._ask("GET", "/v1/holds", params={"limit": limit})[
            "holds"
        ]
        return found

    def approvals(self) -> list[dict[str, Any]]:
        """What waits for a person."""
        found: list[dict[str, Any]] = self._ask("GET", "/v1/approvals")["approvals"]
        return found

    def decide(self, approval_id: str, reason: str, *, approve: bool) -> dict[str, Any]:
        """Approve or decline what waits."""
        verb = "approve" if approve else "decline"
        return self._post(f"/v1/approvals/{_quoted(approval_id)}/{verb}", {"reason": reason})

    def state(self, agent: str) -> dict[str, Any]:
        """Where an agent stands."""
        return self._ask("GET", _path(agent))

    def agents(self, limit: int = 50, **asked: Any) -> list[dict[str, Any]]:
        """Who acts, the last seen first; `asked` narrows it as the route's own parameters do."""
        params = {"limit": limit, **{key: value for key, value in asked.items() if value}}
        found: list[dict[str, Any]] = self._ask("GET", "/v1/agents", params=params)["agents"]
        return found

    def actions(
        self, agent: str, since: str, trace: str | None = None, limit: int = 1000
    ) -> dict[str, Any]:
        """What an agent did, in order, since so long ago (`2h`)."""
        asked = {"since": since, "limit": limit, **({"trace": trace} if trace else {})}
        return self._ask("GET", _path(agent, "actions"), params=asked)

    def profile(self, agent: str) -> dict[str, Any]:
        """All that is known of an agent; the document of `tripswitch agent --json`."""
        return self._ask("GET", _path(agent, "profile"))

    def trips(self, agent: str | None = None, limit: int = 20) -> list[dict[str, Any]]:
        """Trips, the newest first."""
        asked: dict[str, str | int] = {"limit": limit}
        if agent is not None:
            asked["agent"] = agent
        found: list[dict[str, Any]] = self._ask("GET", "/v1/trips", params=asked)["trips"]
        return found

    def trip(self, trip_id: str) -> dict[str, Any]:
        """One trip."""
        return self._ask("GET", f"/v1/trips/{_quoted(trip_id)}")

    def grants(self, agent: str, scope: str | None = None) -> dict[str, Any]:
        """An agent's grants; with a scope the decision, also one that the store's failure made."""
        asked = {} if scope is None else {"scope": scope}
        return self._ask("GET", _path(agent, "grants"), params=asked)

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        said = {name: value for name, value in body.items() if value is not None}
        return self._ask("POST", path, json=said)

    def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        import httpx

        try:
            answer = self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            why = clean(str(error), _MAX_CHARS) or type(error).__name__
            raise ServerError(
                f"server {self.url}: {why}; check --server, and that `tripswitch serve` runs there"
            ) from None
        try:
            document = answer.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise ServerError(
                f"server {self.url}: answers {answer.status_code} without a JSON object; "
                "is that a `tripswitch serve`?"
            )
        if answer.is_success or "allowed" in document:
            return document
        raise self._error(answer.status_code, document)

    def _error(self, status: int, document: Mapping[str, Any]) -> TripswitchError:
        said = clean(str(document.get("error", f"status {status}")), _MAX_CHARS)
        text = f"server {self.url}: {said}"
        if status == 404:
            return NotFoundError(text)
        if status in _REFUSED:
            return RefusedError(text)
        return UsageError(text) if status < 500 else ServerError(text)


def _parsed(url: str) -> "httpx.URL":
    import httpx

    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError):
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise UsageError(f"{url!r:.200} is no URL of a server such as https://tripswitch:8377")
    return parsed


def _many(role: str | None) -> dict[str, Any]:
    return {"all": True} if role is None else {"role": role}


def _path(agent: str, *more: str) -> str:
    return "/".join(("/v1/agents", _quoted(agent), *more))


def _quoted(text: str) -> str:
    """One part of a path; a lone . or .. would be taken for a step."""
    quoted = quote(text, safe="", errors="replace")
    return quoted.replace(".", "%2E") if quoted in (".", "..") else quoted
