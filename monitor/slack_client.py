"""The SDK's Socket Mode client, which also says why it is not connected."""

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
