"""Slack's Web API: calls that end in time, and errors that say what to do and hold no secret."""

import logging
import math
import queue
import re
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.error import URLError

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from alerting.ports import DeliveryError

T = TypeVar("T")

HINTS: Final = {
    "invalid_auth": "the bot token is wrong",
    "not_authed": "no bot token was sent",
    "account_inactive": "the bot token belongs to a removed app or workspace",
    "token_revoked": "the bot token was revoked",
    "token_expired": "the bot token has expired",
    "missing_scope": "give the app chat:write and the other scopes of deploy/slack-manifest.yaml",
    "channel_not_found": "check slack.channel, and invite the app if the channel is private",
    "not_in_channel": "invite the app to the channel",
    "is_archived": "the channel is archived",
    "expired_trigger_id": "it took longer than Slack waits",
}
_LIMITED: Final = frozenset(("ratelimited", "rate_limited"))
_UNSURE: Final = frozenset(
    ("internal_error", "fatal_error", "service_unavailable", "request_timeout")
)
"""Of these Slack itself says that part of the call may have been done."""
_PASSING: Final = _LIMITED | _UNSURE | {"team_added_to_org", "external_channel_migrating"}

# The SDK logs at error level what it could not send and at debug level the whole payload; what
# fails is reported as a DeliveryError, which never holds a secret.
sdk_log: Final = logging.getLogger(f"{__name__}.sdk")
sdk_log.setLevel(logging.CRITICAL)
sdk_log.propagate = False
sdk_log.addHandler(logging.NullHandler())


class Limit:
    """When the calls that make up one piece of work have to be over.

    Parameters
    ----------
    limit_s
        How long from now, in seconds.
    """

    def __init__(self, limit_s: float) -> None:
        self._end_s = time.monotonic() + limit_s

    def check(self) -> None:
        """Let nothing begin once the time is over: whoever asked has left, and will ask again.

        Raises
        ------
        TimeoutError
            If it is.
        """
        if time.monotonic() >= self._end_s:
            raise TimeoutError


class SlackWeb:
    """The Web API under one token.

    Parameters
    ----------
    token
        Bot token.
    api_url
        Where the Web API is.
    timeout_s
        Longest time that one piece of work may take, in seconds.

    Attributes
    ----------
    client
        For the calls within `within`.
    """

    def __init__(self, token: str, api_url: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        # No retry handlers: whoever calls retries, and has to see Retry-After to rest for it.
        self.client = WebClient(
            token=token,
            base_url=api_url,
            timeout=math.ceil(timeout_s),
            retry_handlers=[],
            logger=sdk_log,
        )

    def within(self, work: Callable[[Limit], T]) -> T:
        """Run calls for at most the time limit.

        Raises
        ------
        DeliveryError
            If one of them failed or the time was over.
        """
        try:
            return _within(self._timeout_s, work)
        except SlackApiError as error:
            raise delivery_error(error.response) from None
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


def _within(limit_s: float, work: Callable[[Limit], T]) -> T:
    """Run `work` for at most `limit_s` seconds.

    The SDK's timeout is one per wait on the socket, so that an answer that drips in, or a name
    server that hangs, would never reach it. What outlasts the limit is left to a daemon thread.

    Raises
    ------
    TimeoutError
        If the limit was reached; a call that had begun may still succeed later.
    """
    outcome: queue.SimpleQueue[tuple[T, None] | tuple[None, Exception]] = queue.SimpleQueue()
    limit = Limit(limit_s)

    def run() -> None:
        try:
            outcome.put((work(limit), None))
        except Exception as error:
            outcome.put((None, error))

    threading.Thread(target=run, name="slack-call", daemon=True).start()
    try:
        result, error = outcome.get(timeout=limit_s)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # the queue holds one or the other


def code_of(response: SlackResponse) -> str | None:
    """Slack's error code; None if the answer has none, such as a proxy's page."""
    data: Any = response.data
    code = data.get("error") if isinstance(data, dict) else None
    return code if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,60}", code) else None


def was_refused(error: SlackApiError) -> bool:
    """Whether Slack surely did nothing of what was asked."""
    code = code_of(error.response)
    status = error.response.status_code
    return status == 429 or (status < 500 and code is not None and code not in _UNSURE)


def delivery_error(response: SlackResponse) -> DeliveryError:
    """What an answer that is no success means for a delivery."""
    status, code = response.status_code, code_of(response)
    if status == 429 or code in _LIMITED:
        return DeliveryError(
            "Slack's rate limit is reached",
            retryable=True,
            retry_after_s=_retry_after_s(response.headers),
        )
    if code is not None:
        hint = f": {HINTS[code]}" if code in HINTS else ""
        retryable = code in _PASSING or status >= 500
        return DeliveryError(f"Slack says {code}{hint}", retryable=retryable)
    if status == 200:  # a proxy or a login page in between
        return DeliveryError("Slack's answer is no JSON; check slack.api_url", retryable=True)
    hint = "" if status >= 500 else "; check slack.api_url"
    return DeliveryError(
        f"Slack answers HTTP {status}{hint}", retryable=status >= 500 or status == 408
    )


def _retry_after_s(headers: dict[str, str]) -> float | None:
    value = next((v for name, v in headers.items() if name.lower() == "retry-after"), "")
    return float(value) if re.fullmatch(r"\d{1,9}", value) else None


def _why(error: OSError) -> str:
    """The system's own words; other errors may quote what was sent."""
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return type(cause).__name__
