"""Finds a message in Slack by the key in its metadata, after an answer that nobody saw."""

import logging
import re
from collections.abc import Iterator
from typing import Any, Final

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from alerting.notify.slack_web import Limit, code_of

log = logging.getLogger(__name__)

EVENT_TYPE: Final = "tripswitch_delivery"
"""Of the metadata in which each message carries its delivery's key."""
EARLIER_S: Final = 600.0
"""How long before it was made a message is looked for: clocks differ."""
PAGE: Final = 200
MAX_PAGES: Final = 10
"""Where more than `PAGE` times this was said since, it counts as not found."""

_IMPOSSIBLE: Final = frozenset(
    (
        "missing_scope",
        "channel_not_found",
        "not_in_channel",
        "no_permission",
        "access_denied",
        "method_not_supported_for_channel_type",
        "team_access_not_granted",
    )
)


class SlackSearch:
    """Looks through a channel or a thread.

    Parameters
    ----------
    client
        With the scope `channels:history`; for a private channel `groups:history`.
    """

    def __init__(self, client: WebClient) -> None:
        self._client = client
        self._said: set[str] = set()

    def find(
        self, key: str, *, channel: str, root: str | None, since_s: float, limit: Limit
    ) -> str | None:
        """The `ts` of the message that carries the key; None if there is none.

        None as well, said once in the log, where the channel cannot be searched: then the message
        is posted again, for twice is better than never.

        Parameters
        ----------
        channel
            Its id; a name can be posted to, but not searched.
        root
            The `ts` of the thread's first message; None: the channel itself.
        since_s
            When the message was made, in seconds since the epoch.

        Raises
        ------
        SlackApiError, OSError
            If Slack did not answer; nothing should be posted then.
        """
        if not re.fullmatch(r"[CDG][A-Z0-9]{5,}", channel):
            self._say("the id of the channel is not known; set slack.channel to it")
            return None
        try:
            for message in self._messages(channel, root, since_s, limit):
                if _key_of(message) == key:
                    return str(message["ts"])
        except SlackApiError as error:
            code = code_of(error.response)
            if code not in _IMPOSSIBLE:
                raise
            self._say(f"Slack says {code}; give the app the scope channels:history")
        return None

    def _messages(
        self, channel: str, root: str | None, since_s: float, limit: Limit
    ) -> Iterator[dict[str, Any]]:
        cursor = ""
        for _ in range(MAX_PAGES):
            limit.check()
            asked: dict[str, Any] = {
                "channel": channel,
                "oldest": f"{since_s - EARLIER_S:.6f}",
                "limit": PAGE,
                "include_all_metadata": True,
            }
            if cursor:
                asked["cursor"] = cursor
            if root is None:
                page = self._client.conversations_history(**asked)
            else:
                page = self._client.conversations_replies(ts=root, **asked)
            yield from page["messages"]
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return

    def _say(self, why: str) -> None:
        if why not in self._said:
            self._said.add(why)
            log.warning(
                "after a lost answer Slack cannot be asked whether it took the message, so that "
                "one may appear twice: %s",
                why,
            )


def _key_of(message: dict[str, Any]) -> object:
    metadata = message.get("metadata") or {}
    if metadata.get("event_type") != EVENT_TYPE:
        return None
    return (metadata.get("event_payload") or {}).get("key")
