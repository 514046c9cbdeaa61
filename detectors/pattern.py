"""Shell patterns for names and targets, and the ways in which a target can be read.

A target is text that an agent chose, and `fnmatch` alone is easily tricked: `/srv/pay/*` takes
`/srv/pay/../../etc/passwd`, `https://*.corp.example/*` takes `https://evil.example/.corp.example/`,
`*@corp.example` takes `m@evil.example,a@corp.example`. So both sides are read alike first, in each
way in which a server might read them, and a target is allowed only if every reading is.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final, NamedTuple

Patterns = tuple[str, ...]
"""Shell patterns (`*`, `?`, `[…]`); in names matched case-sensitively against the whole text."""

_MAX_REMEMBERED: Final = 4096
_DECODINGS: Final = 2
"""How often percent signs are decoded: some servers do it twice."""
_URL: Final = re.compile(r"([A-Za-z*?][A-Za-z0-9+.*?-]*)://([^/?#]*)(.*)", re.DOTALL)
_HOST: Final = re.compile(r"[\w*?-]+(\.[\w*?-]+)+\.?(:[\d*?]+)?")
_CODED: Final = re.compile(r"%(2e|2f|5c|25)", re.IGNORECASE)
_PORTS: Final = {"http": ":80", "https": ":443"}
_BETWEEN_ADDRESSES: Final = re.compile(r"\s*[,;]\s*")
_LOCAL_PART: Final = re.compile(r"[^\s,;<>@/\\]+")
_AUTHORITY: Final = re.compile(r"[\w.:*?!\[\]-]*")
"""What a host may be written with; anything else might end it early for some server."""


@lru_cache(_MAX_REMEMBERED)
def matches(patterns: Patterns, text: str) -> bool:
    """Whether a name fits one of the patterns."""
    return any(fnmatchcase(text, pattern) for pattern in patterns)


@lru_cache(_MAX_REMEMBERED)
def allows(patterns: Patterns, target: str) -> bool:
    """Whether a target fits the patterns: each of its parts, in each of its readings, fits one.

    Examples
    --------
    >>> allows(("/srv/pay/*",), "/srv/pay/2026/may"), allows(("/srv/pay/*",), "/srv/pay/../etc")
    (True, False)
    >>> allows(("*@corp.example",), "Ada@CORP.example")
    True
    """
    return bool(patterns) and all(_allows_part(_read_patterns(patterns), p) for p in parts(target))


def _allows_part(patterns: Sequence[Sequence["Reading"]], target: str) -> bool:
    """Whether each reading of one target fits one of the patterns, read alike."""
    done: tuple[Reading, Sequence[Reading]] | None = None
    for reading, alike in zip(readings(target), patterns, strict=True):
        if done is not None and done[0] is reading and done[1] is alike:
            continue  # nothing was coded in either
        if not any(_fits(pattern, reading) for pattern in alike):
            return False
        done = (reading, alike)
    return True


def parts(target: str) -> Sequence[str]:
    """The targets that one text names: a list of addresses is several, all else is one."""
    if "@" not in target or "://" in target:
        return (target,)
    return [part for part in _BETWEEN_ADDRESSES.split(target.strip()) if part] or (target,)


class Reading(NamedTuple):
    """One way to understand a target, or a pattern of targets.

    Attributes
    ----------
    kind
        `url`, `mailbox` or `text`.
    fields
        Scheme, host and the rest; local part and domain; the whole.
    """

    kind: str
    fields: tuple[str, ...]


def readings(text: str) -> list[Reading]:
    r"""The text as it stands; with `\` as `/` and `%2e` as `.`; and decoded once more."""
    found = [_read(text)]
    for _ in range(_DECODINGS):
        decoded = _CODED.sub(lambda code: chr(int(code[1], 16)), text).replace("\\", "/")
        found.append(found[-1] if decoded == text else _read(decoded))
        text = decoded
    return found


def literal(text: str) -> str:
    """The pattern that fits this text alone."""
    return re.sub(r"([*?[])", r"[\1]", text)


@lru_cache(256)
def _read_patterns(patterns: Patterns) -> Sequence[Sequence[Reading]]:
    """By the number of the reading: each pattern, read so; one object where nothing differs."""
    columns: list[Sequence[Reading]] = []
    for column in zip(*map(readings, patterns), strict=True):
        columns.append(columns[-1] if columns and columns[-1] == column else column)
    return columns


def _read(text: str) -> Reading:
    if url := _URL.fullmatch(text):
        scheme, authority, rest = url[1].lower(), url[2], url[3]
        host = authority.rpartition("@")[2].lower()  # what stands before it is a user's name
        if not _AUTHORITY.fullmatch(host):
            return Reading("text", (text,))
        host = host.removesuffix(_PORTS.get(scheme, "\0")).removesuffix(".")
        path, mark, query = rest.partition("?") if "?" in rest else rest.partition("#")
        return Reading("url", (scheme, host, (_resolve(path) or "/") + mark + query))
    local, at, domain = text.strip().rpartition("@")
    if at and _LOCAL_PART.fullmatch(local) and _AUTHORITY.fullmatch(domain):
        return Reading("mailbox", (local.lower(), domain.lower().removesuffix(".")))
    if _HOST.fullmatch(text):
        return Reading("text", (text.lower().removesuffix("."),))
    return Reading("text", (_resolve(text),))


def _resolve(path: str) -> str:
    """The path without `.`, `..` and doubled slashes (RFC 3986, 5.2.4)."""
    if "/" not in path and path not in (".", ".."):
        return path
    lead = path[: len(path) - len(path.lstrip("/"))][:2]
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == ".." and (lead or (kept and kept[-1] != "..")):
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    closing = "/" if kept and segments[-1] in ("", ".", "..") and kept[-1] != ".." else ""
    return lead + "/".join(kept) + closing


def _fits(pattern: Reading, target: Reading) -> bool:
    """Field by field, so that no wildcard reaches from a path into a host."""
    if pattern.kind == target.kind:
        return all(map(fnmatchcase, target.fields, pattern.fields))
    if pattern.kind == "text" and target.kind == "mailbox":
        return fnmatchcase("@".join(target.fields), pattern.fields[0].lower())
    return pattern.fields == ("*",)
