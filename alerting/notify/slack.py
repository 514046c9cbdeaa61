"""Tells people in a Slack channel: a message for each incident, and below it what becomes of it.

- An incident's first message, the root, is changed in place so that it always shows how things
  stand. What somebody should notice is also said in a reply, in the root's thread.
- No message twice: after an attempt of which nobody saw the answer the channel, or the thread, is
  searched for the delivery's key first.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

from slack_sdk.errors import SlackApiError

from alerting.message import Message, MessageKind
from alerting.notify.slack_search import EVENT_TYPE, SlackSearch
from alerting.notify.slack_web import Limit, SlackWeb, code_of, was_refused
from alerting.render_slack import render_reply, render_slack
from detectors.finding import Severity

SILENT: Final = frozenset[MessageKind](("updated",))
"""Kinds of which the root tells enough."""
GAP_S: Final = 1.0
"""Slack takes about one message a second in a channel, and a few at once: the urgent ones."""

_REFUSED_FORM: Final = frozenset(
    ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long")
)
_ROOT_GONE: Final = frozenset(("message_not_found", "thread_not_found"))
_NOT_CHANGED: Final = frozenset(("cant_update_message", "edit_window_closed"))
_MAX_REFUSED: Final = 1000


@dataclass
class _Attempt:
    """One attempt at a delivery.

    Attributes
    ----------
    in_doubt
        Whether the message may stand in Slack already.
    """

    message: Message
    key: str
    in_doubt: bool
    limit: Limit


class SlackReceiver:
    """Posts messages to one channel.

    Parameters
    ----------
    channel
        Id of the channel; its name will do, but cannot be searched.
    token
        Bot token with the scopes `chat:write` and, for the search, `channels:history`.
    api_url
        Where the Web API is.
    timeout_s
        Longest time that one attempt may take, in seconds.
    name
        Its name among the receivers.
    buttons
        Whether there is somebody to press buttons for: Socket Mode is on.
    gap_s
        How long to wait between two messages, in seconds; what is urgent does not wait.
    """

    def __init__(
        self,
        channel: str,
        token: str,
        api_url: str,
        timeout_s: float,
        *,
        name: str = "slack",
        buttons: bool = False,
        gap_s: float = GAP_S,
    ) -> None:
        self.name = name
        self._channel = channel
        self._buttons = buttons
        self._gap_s = gap_s
        self._free_at_s = 0.0
        self._web = SlackWeb(token, api_url, timeout_s)
        self._search = SlackSearch(self._web.client)
        self._refused: OrderedDict[str, int] = OrderedDict()
        """Deliveries that surely do not stand in Slack, with the last attempt's number."""

    def send(
        self, message: Message, key: str, thread: str | None = None, attempt: int = 1
    ) -> str | None:
        """Post one message, or change the root of its thread and reply there.

        The key stands in the message's metadata. If Slack refuses the form, a brief one is tried
        at once: better a short alert than none.

        Returns
        -------
        str or None
            `CHANNEL:TS` of the root; None for a message that stands alone.

        Raises
        ------
        DeliveryError
            If Slack did not take it.
        """
        known = attempt == 1 or self._refused.pop(key, 0) == attempt - 1
        if thread is None or message.kind not in SILENT:
            self._await_turn(urgent=_is_urgent(message))

        def tell(limit: Limit) -> str | None:
            this = _Attempt(message, key, in_doubt=not known, limit=limit)
            try:
                return self._tell(this, thread)
            except Exception:
                if not this.in_doubt:
                    self._refused[key] = attempt
                    if len(self._refused) > _MAX_REFUSED:
                        self._refused.popitem(last=False)
                raise

        return self._web.within(tell)

    def close(self) -> None:
        """Nothing to release: each request has a connection of its own."""

    def _tell(self, this: _Attempt, thread: str | None) -> str | None:
        channel, _, root = (thread or "").partition(":")
        if root and self._change(this, channel, root):
            if this.message.kind not in SILENT:
                self._say(this, channel, root)
            return thread
        said = self._say(this, self._channel, None)
        return said if this.message.thread else None

    def _say(self, this: _Attempt, channel: str, root: str | None) -> str:
        """Post a message, unless it stands there already; returns its place."""
        if this.in_doubt:
            since_s = this.message.at.timestamp()
            found = self._search.find(
                this.key, channel=channel, root=root, since_s=since_s, limit=this.limit
            )
            if found is not None:
                return f"{channel}:{found}"
            this.in_doubt = False
        try:
            answer = self._post(this, channel, root, brief=False)
        except SlackApiError as error:
            if code_of(error.response) not in _REFUSED_FORM:
                raise
            answer = self._post(this, channel, root, brief=True)
        if root is None:
            self._channel = answer["channel"]  # its id, where it was known by name
        return f"{answer['channel']}:{answer['ts']}"

    def _post(self, this: _Attempt, channel: str, root: str | None, *, brief: bool) -> Any:
        form = render_slack if root is None else render_reply
        said = form(this.message, this.key, brief=brief, buttons=self._buttons)
        this.limit.check()
        this.in_doubt = True
        try:
            return self._web.client.chat_postMessage(
                channel=channel,
                blocks=said.blocks,
                text=said.text,
                parse="none",
                link_names=False,
                thread_ts=root,
                reply_broadcast=True if root and _is_urgent(this.message) else None,
                mrkdwn=False,
                unfurl_links=False,
                unfurl_media=False,
                metadata={"event_type": EVENT_TYPE, "event_payload": {"key": this.key}},
            )
        except SlackApiError as error:
            this.in_doubt = not was_refused(error)
            raise

    def _change(self, this: _Attempt, channel: str, root: str) -> bool:
        """Let the root show how things stand; False if it is gone and a new one is needed."""
        for brief in (False, True):
            said = render_slack(this.message, this.key, brief=brief, buttons=self._buttons)
            this.limit.check()
            try:
                self._web.client.chat_update(
                    channel=channel,
                    ts=root,
                    blocks=said.blocks,
                    text=said.text,
                    parse="none",
                    link_names=False,
                )
            except SlackApiError as error:
                code = code_of(error.response)
                if code in _ROOT_GONE:
                    return False
                if code in _NOT_CHANGED:  # the thread tells the rest
                    return True
                if code not in _REFUSED_FORM or brief:
                    raise
            else:
                return True
        return True

    def _await_turn(self, *, urgent: bool) -> None:
        """Keep the gap between two messages; that is no part of the time that Slack has."""
        if not urgent:
            time.sleep(max(0.0, self._free_at_s - time.monotonic()))
        self._free_at_s = time.monotonic() + self._gap_s


def _is_urgent(message: Message) -> bool:
    """Whether a reply has to be seen in the channel, too: one thread may have a lot in it."""
    return message.kind in ("opened", "raised") and message.severity == Severity.CRITICAL
