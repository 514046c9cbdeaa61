"""One connection: it is closed if it takes too long over a request."""

import asyncio
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_WITHIN_S: Final = 10.0
"""From the connection, or the first byte of a later request, to the request's last byte."""


class Connection(H11Protocol):
    """As uvicorn's, which waits for ever for a first request, and for the rest of any.

    Who sends nothing would keep a place among the few connections that there are, and needs no
    token for that. How long a connection may rest between two requests is uvicorn's to say.
    """

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Read it; wait for the rest of a request."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Go on with what was sent meanwhile; wait for the rest of it, likewise."""
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _look(self) -> None:
        state = self.conn.their_state
        is_begun = state is h11.IDLE and bool(self.conn.trailing_data[0])
        if not is_begun and state is not h11.SEND_BODY:
            self._wait_no_more()
        elif self._waiting is None:
            self._wait()

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(REQUEST_WITHIN_S, self.transport.abort)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
