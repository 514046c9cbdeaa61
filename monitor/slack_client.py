"""The SDK's Socket Mode client, which also says why it is not connected."""

from contextlib import suppress
from socket import SHUT_RDWR, socket
from typing import Any, Final

from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode import SocketModeClient

from alerting.notify.slack_web import delivery_error

_LOST: Final = "the WebSocket was lost, or cannot be had"


class _Socket:
    """The socket of a connection, which fails once the other side has closed it.

    The SDK alone would read on without a pause, on a whole core, until its pings have gone
    unanswered for 20 s (python-slack-sdk, pull requests 1246 and 1727).
    """

    def __init__(self, sock: socket) -> None:
        self._sock = sock

    def recv(self, size: int) -> bytes:
        """Read; the end is an error, after which the SDK leaves the connection."""
        data = self._sock.recv(size)
        if not data:
            raise ConnectionResetError("closed by the other side")
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class SlackClient(SocketModeClient):
    """A client that keeps why it was not given a connection.

    Attributes
    ----------
    why
        What the last attempt came to, without any secret.
    """

    why = "no connection yet"

    def connect(self) -> None:
        """Connect, and notice at once when the connection ends."""
        super().connect()
        session = self.current_session
        if session is not None and (sock := session.sock) is not None:
            session.sock = _Socket(sock)  # type: ignore[assignment] # does what one does

    def close(self) -> None:
        """Close the connection; the SDK alone waits some seconds for what may still come in."""
        self.closed, self.auto_reconnect_enabled = True, False
        self.current_session_state.terminated = True
        self.message_queue.put(None)  # what waits for a message goes on
        session = self.current_session
        sock = session.sock if session is not None else None
        if sock is not None:
            with suppress(OSError):  # it was closed meanwhile
                sock.shutdown(SHUT_RDWR)
        super().close()

    def issue_new_wss_url(self) -> str:
        """Ask Slack where to connect to."""
        try:
            url = super().issue_new_wss_url()
        except SlackApiError as error:
            self.why = delivery_error(error.response).reason.replace("bot token", "app token")
            raise
        except Exception as error:
            self.why = f"unexpected {type(error).__name__}"  # its text may hold the token
            raise
        self.why = _LOST
        return url
