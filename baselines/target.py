"""A target's chain: what kind of thing it is, which group it belongs to, and itself."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

_SCHEME: Final = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_HOST: Final = re.compile(r"^[a-z0-9-]+(\.[a-z0-9-]+)+(?=[:/]|$)", re.IGNORECASE)
_MAILBOX: Final = re.compile(r"^[^\s/@]+@([^\s/@]+)$")
_AUTHORITY_END: Final = re.compile(r"[/\\?#]")
_PORT: Final = re.compile(r":\d*$")
_RUNS: Final = re.compile(r"[A-Z]+|[a-z]+|\d+")
_MAX_CACHED: Final = 4096


class Target(NamedTuple):
    """One target at three grains, from coarse to fine.

    Attributes
    ----------
    kind
        `mailbox`, `host`, `path`, `id` or `name`.
    group
        Domain of a mailbox, registered domain of a host, folder of a path, shape of the rest.
    text
        The target itself.
    """

    kind: str
    group: str
    text: str


@lru_cache(_MAX_CACHED)
def chain(text: str) -> Target:
    """The chain of one target.

    Examples
    --------
    >>> chain("ann@mail.corp.example").group
    'mail.corp.example'
    >>> chain("https://api.corp.example/v1/pay").group
    'corp.example'
    >>> chain("/home/ann/notes.txt").group
    '/home/ann'
    >>> chain("ORDER-1042").group, chain("ORDER-7").group
    ('A-0', 'A-0')
    """
    if mailbox := _MAILBOX.match(text):
        return Target("mailbox", mailbox[1].lower(), text)
    scheme = _SCHEME.match(text)
    rest = text[scheme.end() :] if scheme else text
    host = _HOST.match(rest)
    if scheme or (host and not rest[0].isdigit() and _is_domain(host[0])):
        # What stands before an `@` is a user name, however much it looks like a host.
        name = _AUTHORITY_END.split(rest, maxsplit=1)[0].rpartition("@")[2]
        if name:
            return Target("host", registered_domain(_PORT.sub("", name).lower()), text)
    if "/" in text or "\\" in text:
        folder = re.split(r"[/\\]", text)
        return Target("path", "/".join(folder[:-1]), text)
    return Target("id" if any(map(str.isdigit, text)) else "name", shape(text), text)


def registered_domain(host: str) -> str:
    """Last two labels of a host; three where the second-last is as short as in `co.uk`.

    An address in digits is a group by itself. A public suffix list would be exact; what a group
    needs is that hosts of one owner fall together and that strangers rarely do.
    """
    labels = host.rstrip(".").split(".")
    if labels[-1].isdigit():
        return host
    short = len(labels) > 2 and len(labels[-2]) <= 3 and len(labels[-1]) == 2
    return ".".join(labels[-3 if short else -2 :])


def shape(text: str) -> str:
    """An identifier's form: runs of digits, of capitals and of small letters as one sign each."""
    return _RUNS.sub(_sign, text)[:64]


def _sign(run: re.Match[str]) -> str:
    first = run[0][0]
    return "0" if first.isdigit() else "A" if first.isupper() else "a"


def _is_domain(host: str) -> bool:
    """Whether dotted text is more likely a host than a file or a qualified name."""
    last = host.rpartition(".")[2]
    return last.isalpha() and last.lower() not in _FILE_ENDINGS


_FILE_ENDINGS: Final = frozenset(
    "txt md py js ts json jsonl csv tsv xml html htm yaml yml toml ini cfg conf log pdf doc docx "
    "xls xlsx ppt pptx png jpg jpeg gif svg mp3 mp4 zip gz tar bak tmp sql db java c h cpp rs go "
    "rb sh ipynb lock env pem key exe dll so".split()
)
