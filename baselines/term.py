"""Terms: texts as a profile keeps them, none of them long, and how much room they take."""

from hashlib import blake2b
from typing import Final

MAX_NAME_CHARS: Final = 128
"""Of tools, sources, users and agents; names of real ones are shorter."""
MAX_TARGET_CHARS: Final = 512
"""A host with its scheme, or a mailbox, always fits."""
_DIGEST_BYTES: Final = 8
_CUT: Final = 2 * _DIGEST_BYTES + 1


def cut(text: str, most: int) -> str:
    """A text of at most `most` characters; a longer one is told from others by a checksum.

    Examples
    --------
    >>> cut("short", 40)
    'short'
    >>> cut("a" * 1000, 40)
    'aaaaaaaaaaaaaaaaaaaaaaa…1fd513b6ebdb21d8'
    """
    if len(text) <= most:
        return text
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES)
    return f"{text[: most - _CUT]}…{digest.hexdigest()}"


def size(text: str) -> int:
    """How many bytes a text takes as UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
