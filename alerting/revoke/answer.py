"""What a gateway answered over HTTP, and what is said of it. Everything in it is hostile."""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from alerting.ports import RevokeError
from alerting.render import clean

HIDDEN: Final = "[hidden]"
_MAX_QUOTED_CHARS: Final = 200
_BUSY: Final = frozenset((429, 503))


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


def refused(what: str, answer: Answer) -> RevokeError:
    """The error that says what was answered to `what`."""
    hint = ", a redirect, and those are not followed" if 300 <= answer.status < 400 else ""
    words = hide(answer.body.decode("utf-8", "replace"), answer.secrets).split()
    quoted = clean(" ".join(words), _MAX_QUOTED_CHARS)
    said = f": {quoted}" if quoted else ""
    retry_after_s = _seconds(answer.retry_after) if answer.status in _BUSY else None
    return RevokeError(
        f"answers HTTP {answer.status}{hint} to {what}{said}", retry_after_s=retry_after_s
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
