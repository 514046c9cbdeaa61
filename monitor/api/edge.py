"""The outermost layer: what a request may look like before anything else reads it."""

from typing import Final
from urllib.parse import quote, unquote

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.errors import UsageError

MAX_BODY_BYTES: Final = 65_536


class Edge:
    """Keeps bodies bounded, and paths as they were sent.

    Routes are matched against the path as sent, so that the `%2F` in an agent's id is no
    separator: else the agent `a/grants` could not be told from the grants of `a`. Each id is
    decoded after that, by `decoded`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        raw = scope.get("raw_path") or quote(scope["path"]).encode()
        path = raw.partition(b"?")[0].decode("latin-1")
        await self._app({**scope, "path": path}, _bounded(receive), send)


def _bounded(receive: Receive) -> Receive:
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY_BYTES:
            # and hang up: the rest is not read
            said = f"the body has more than {MAX_BODY_BYTES} bytes"
            raise HTTPException(413, said, {"Connection": "close"})
        return message

    return bounded


def decoded(part: str) -> str:
    """A part of the path as text.

    Raises
    ------
    UsageError
        If it is no UTF-8, or holds a NUL, which no id does.
    """
    try:
        text = unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise UsageError("the path is no UTF-8 once its %XX are decoded") from None
    if "\x00" in text:
        raise UsageError("no id holds a NUL")
    return text
