"""What a server answered over HTTP, and what is said of it. Everything in it is hostile."""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from alerting.render import clean

HIDDEN: Final = "[hidden]"
_MAX_QUOTED_CHARS: Final = 200
_BUSY: Final = frozenset((429, 503))
_WORTH_A_REPEAT: Final = frozenset((408, 425, 429))


class WireError(Exception):
    """A request was not answered, or not as it should be.

    Parameters
    ----------
    reason
        What went wrong, without any secret.
    retryable
        Whether the same request may succeed later.
    retry_after_s
        How long the server asked to be left alone, in seconds.
    """

    def __init__(
        self, reason: str, *, retryable: bool = True, retry_after_s: float | None = None
    ) -> None:
        super().__init__(reason)
        self.retryable = retryable
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Parameters
    ----------
    body
        What was read of it; `is_whole` says whether that is all.
    secrets
        What must not be quoted of it, should it have come back.
    """

    status: int
    retry_after: str | None
    body: bytes
    is_whole: bool
    secrets: tuple[str | None, ...] = ()


def hide(text: str, secrets: Iterable[str | None]) -> str:
    """The text without secrets that came back in it."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    return text


def refused(what: str, answer: Answer) -> WireError:
    """The error that says what was answered to `what`."""
    hint = ", a redirect, and those are not followed" if 300 <= answer.status < 400 else ""
    words = hide(answer.body.decode("utf-8", "replace"), answer.secrets).split()
    quoted = clean(" ".join(words), _MAX_QUOTED_CHARS)
    said = f": {quoted}" if quoted else ""
    retry_after_s = _seconds(answer.retry_after) if answer.status in _BUSY else None
    return WireError(
        f"answers HTTP {answer.status}{hint} to {what}{said}",
        retryable=answer.status >= 500 or answer.status in _WORTH_A_REPEAT,
        retry_after_s=retry_after_s,
    )


def _seconds(retry_after: str | None) -> float | None:
    """`Retry-After` as RFC 9110 has it: seconds, or a date."""
    if retry_after is None:
        return None
    if re.fullmatch(r"\d{1,9}", retry_after, re.ASCII):
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError, OSError):
        return None
