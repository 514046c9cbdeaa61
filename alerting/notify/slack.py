"""Tells people in a Slack channel, through chat.postMessage."""

import logging
import math
import queue
import re
import threading
from collections.abc import Callable
from typing import Any, Final
from urllib.error import URLError

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from alerting.message import Message
from alerting.ports import DeliveryError
from alerting.render_slack import render_slack

EVENT_TYPE: Final = "tripswitch_delivery"

_HINTS: Final = {
    "invalid_auth": "the bot token is wrong",
    "not_authed": "no bot token was sent",
    "account_inactive": "the bot token belongs to a removed app or workspace",
    "token_revoked": "the bot token was revoked",
    "token_expired": "the bot token has expired",
    "missing_scope": "give the app the scope chat:write",
    "channel_not_found": "check slack.channel, and invite the app if the channel is private",
    "not_in_channel": "invite the app to the channel",
    "is_archived": "the channel is archived",
}
_RETRYABLE: Final = frozenset(
    (
        "ratelimited",
        "rate_limited",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "team_added_to_org",
        "external_channel_migrating",
    )
)
_REFUSED_FORM: Final = frozenset(
    ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long")
)

# The SDK logs at error level what it could not send and at debug level the whole payload; what
# fails is reported as a DeliveryError, which never holds a secret.
_sdk_log = logging.getLogger(f"{__name__}.sdk")
_sdk_log.setLevel(logging.CRITICAL)
_sdk_log.propagate = False
_sdk_log.addHandler(logging.NullHandler())


class SlackReceiver:
    """Posts messages to one channel.

    Parameters
    ----------
    channel
        Id or name of the channel.
    token
        Bot token with the scope `chat:write`.
    api_url
        Where the Web API is.
    timeout_s
        Longest time that one attempt may take, in seconds.
    """

    name = "slack"

    def __init__(self, channel: str, token: str, api_url: str, timeout_s: float) -> None:
        self._channel = channel
        self._timeout_s = timeout_s
        # No retry handlers: the dispatcher retries, and has to see Retry-After to rest for it.
        self._client = WebClient(
            token=token,
            base_url=api_url,
            timeout=math.ceil(timeout_s),
            retry_handlers=[],
            logger=_sdk_log,
        )

    def send(
        self,
        message: Message,
        key: str,
        thread: str | None = None,  # noqa: ARG002 - stands alone so far
        attempt: int = 1,  # noqa: ARG002
    ) -> None:
        """Post one message; its key stands in the message's metadata.

        If Slack refuses the form, a brief one is tried at once: better a short alert than none.

        Raises
        ------
        DeliveryError
            If Slack did not take it.
        """
        try:
            _within(self._timeout_s, lambda: self._post_either(message, key))
        except SlackApiError as error:
            raise _delivery_error(error.response) from None
        except TimeoutError:
            raise DeliveryError(
                f"Slack did not answer within {self._timeout_s:g} s", retryable=True
            ) from None
        except OSError as error:
            raise DeliveryError(f"Slack cannot be reached: {_why(error)}", retryable=True) from None
        except Exception as error:
            # The SDK lets through whatever a broken answer makes it raise. Only the type is said:
            # the text could quote the request's headers.
            raise DeliveryError(
                f"Slack's answer cannot be read ({type(error).__name__})", retryable=True
            ) from None

    def close(self) -> None:
        """Nothing to release: each request has a connection of its own."""

    def _post_either(self, message: Message, key: str) -> None:
        try:
            self._post(message, key, brief=False)
        except SlackApiError as error:
            if _code(error.response) not in _REFUSED_FORM:
                raise
            self._post(message, key, brief=True)

    def _post(self, message: Message, key: str, *, brief: bool) -> None:
        said = render_slack(message, key, brief=brief)
        self._client.chat_postMessage(
            channel=self._channel,
            blocks=said.blocks,
            text=said.text,
            parse="none",
            link_names=False,
            mrkdwn=False,
            unfurl_links=False,
            unfurl_media=False,
            metadata={"event_type": EVENT_TYPE, "event_payload": {"key": key}},
        )


def _within(limit_s: float, call: Callable[[], None]) -> None:
    """Run `call` for at most `limit_s` seconds.

    The SDK's timeout is one per wait on the socket, so that an answer that drips in, or a name
    server that hangs, would never reach it. What outlasts the limit is left to a daemon thread.

    Raises
    ------
    TimeoutError
        If the limit was reached; the call may still succeed later.
    """
    outcome: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            call()
        except Exception as error:
            outcome.put(error)
        else:
            outcome.put(None)

    threading.Thread(target=run, name="slack-send", daemon=True).start()
    try:
        error = outcome.get(timeout=limit_s)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error


def _delivery_error(response: SlackResponse) -> DeliveryError:
    status, code = response.status_code, _code(response)
    if status == 429 or code in ("ratelimited", "rate_limited"):
        return DeliveryError(
            "Slack's rate limit is reached",
            retryable=True,
            retry_after_s=_retry_after_s(response.headers),
        )
    if code is not None:
        hint = f": {_HINTS[code]}" if code in _HINTS else ""
        retryable = code in _RETRYABLE or status >= 500
        return DeliveryError(f"Slack says {code}{hint}", retryable=retryable)
    if status == 200:  # a proxy or a login page in between
        return DeliveryError("Slack's answer is no JSON; check slack.api_url", retryable=True)
    hint = "" if status >= 500 else "; check slack.api_url"
    return DeliveryError(
        f"Slack answers HTTP {status}{hint}", retryable=status >= 500 or status == 408
    )


def _code(response: SlackResponse) -> str | None:
    """Slack's error code; None if the answer has none, such as a proxy's page."""
    data: Any = response.data
    code = data.get("error") if isinstance(data, dict) else None
    return code if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,60}", code) else None


def _retry_after_s(headers: dict[str, str]) -> float | None:
    value = next((v for name, v in headers.items() if name.lower() == "retry-after"), "")
    return float(value) if re.fullmatch(r"\d{1,9}", value) else None


def _why(error: OSError) -> str:
    """The system's own words; other errors may quote what was sent."""
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return type(cause).__name__
