"""One HTTP request and its answer under one time limit, with nothing left behind.

The limit is over everything, from looking up the name to the last byte that is needed: when it is
over the connection is torn down, so that nothing is sent later, behind a newer order. Redirects
are not followed, and proxies and passwords of the surroundings (`HTTP_PROXY`, `.netrc`) not used.
An answer's body is read, up to a limit, only where its status does not say enough.
"""

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any, Final

import httpx

from alerting.wire.answer import Answer, WireError

MAX_ANSWER_BYTES: Final = 64 * 1024
_TO_CLOSE_S: Final = 0.05
_SOCKET_OPTIONS: Final = [
    (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)),  # on close, drop what is unsent
]


class Line:
    """The way to a server; each exchange has a connection of its own.

    Parameters
    ----------
    tls
        Whom to trust, and who we are; by default the authorities of this machine.
    proxy
        URL of a proxy to go through.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, proxy: str | None = None) -> None:
        self._tls = tls or _authorities()
        self._proxy = proxy

    def exchange(
        self, request: httpx.Request, timeout_s: float, is_enough: Callable[[int], bool]
    ) -> Answer:
        """Send a request and read its answer.

        Parameters
        ----------
        is_enough
            Whether an answer of this status needs no body.

        Raises
        ------
        WireError
            If there is no answer within `timeout_s`.
        """
        try:
            return _run(self._exchange(request, timeout_s, is_enough))
        except TimeoutError:
            raise WireError(f"did not answer within {timeout_s:g} s") from None
        except httpx.HTTPError as error:
            raise WireError(f"cannot be reached, or talks no HTTP: {_why(error)}") from None

    async def _exchange(
        self, request: httpx.Request, timeout_s: float, is_enough: Callable[[int], bool]
    ) -> Answer:
        deadline = asyncio.get_running_loop().time() + timeout_s
        transport = httpx.AsyncHTTPTransport(
            verify=self._tls, trust_env=False, proxy=self._proxy, socket_options=_SOCKET_OPTIONS
        )
        # Not through a client, which would log each URL, and some are secrets.
        async with asyncio.timeout_at(deadline), transport:
            response = await transport.handle_async_request(request)
            body, is_whole = b"", False
            if not is_enough(response.status_code):
                body, is_whole = await _read(response, deadline - _TO_CLOSE_S)
            await response.aclose()
            retry_after = response.headers.get("Retry-After")
            return Answer(response.status_code, retry_after, body, is_whole)


@cache
def _authorities() -> ssl.SSLContext:
    """Read once: it takes a tenth of a second, and a service has many lines."""
    return ssl.create_default_context()


async def _read(response: httpx.Response, deadline: float) -> tuple[bytes, bool]:
    """What comes of the body until the deadline, up to the limit; and whether that is all."""
    body = b""
    try:
        async with asyncio.timeout_at(deadline):
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    return body[:MAX_ANSWER_BYTES], False
    except (TimeoutError, httpx.HTTPError):
        return body, False
    return body, True


def _run(coroutine: Coroutine[Any, Any, Answer]) -> Answer:
    """As `asyncio.run`, but not waiting for a name server that does not answer."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _why(error: BaseException) -> str:
    """The system's own words; other texts may quote what was sent."""
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {chain.verify_message}"
        if isinstance(chain, ssl.SSLError):
            return f"TLS: {chain.reason}"
        if isinstance(chain, socket.gaierror):
            return f"its name is not found: {chain.strerror}"
        if isinstance(chain, OSError) and chain.errno:
            return os.strerror(chain.errno)
        inner = chain.exceptions[0] if isinstance(chain, BaseExceptionGroup) else None
        chain = inner or chain.__cause__ or chain.__context__
    return type(error).__name__
