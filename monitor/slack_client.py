"""The SDK's Socket Mode client, which also says why it is not connected."""

from contextlib import suppress
from socket import SHUT_RDWR
from typing import Final

from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode import SocketModeClient

from alerting.notify.slack_web import delivery_error

_LOST: Final = "the WebSocket was lost, or cannot be had"


class SlackClient(SocketModeClient):
    """A client that keeps why it was not given a connection.

    Attributes
    ----------
    why
        What the last attempt came to, without any secret.
    """

    why = "no connection yet"

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
