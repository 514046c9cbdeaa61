"""Shell patterns for names and targets, and the ways in which a target can be read.

A target is text that an agent chose, and `fnmatch` alone is easily tricked: `/srv/pay/*` takes
`/srv/pay/../../etc/passwd`, `https://*.corp.example/*` takes `https://evil.example/.corp.example/`,
`*@corp.example` takes `m@evil.example,a@corp.example`. So both sides are read alike first, in each
way in which a server might read them, and a target is allowed only if every reading is. What
servers are known to differ about is allowed by `*` alone.
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
_CODED: Final = re.compile(r"%(?!2a|5b)([0-7][0-9a-f])", re.IGNORECASE)
"""All of ASCII but `*` and `[`, which would be wildcards in a pattern."""
_FOLDED: Final = str.maketrans("\\．／＼％；？＃", "/.//%;?#", "\t\r\n")
"""What some servers take for ASCII, and what browsers leave out of a URL."""
_PLAIN: Final = re.compile(r"[\w@.:/?#+=&,-]*", re.ASCII)
"""What stands as it is however it is decoded."""
_TRIMMED: Final = "".join(map(chr, range(1, 0x21)))
"""What browsers leave out at both ends of a URL."""
_PARAMETERS: Final = re.compile(r"(?<=/)(\.{0,2});[^/?#]*")
"""What Java servers leave out before they resolve: to them `..;` is `..`."""
_OVERLONG: Final = re.compile(r"%(c[01]%[89ab]|e0%[89]|f0%8|u[0-9a-f]{4})", re.IGNORECASE)
"""Codes that are no UTF-8 and yet `.` or `/` to some."""

_URL: Final = re.compile(
    r"([A-Za-z*?][A-Za-z0-9+.*?-]*)://(?:([^/?#]*)@)?([^/?#@]*)([^?#]*)(.*)", re.DOTALL
)
"""Scheme, user, host, path, and the rest."""
_WEB_PORTS: Final = {"http": ":80", "https": ":443", "ws": ":80", "wss": ":443", "ftp": ":21"}
_WEB: Final = re.compile(r"(https?|wss?|ftp):", re.IGNORECASE)
"""After these browsers find a host, however many slashes there are."""
_USER: Final = re.compile(r"[\w.~!$&'()*+,;=:%-]*")
_HOST: Final = re.compile(r"[\w.-]+(:[0-9]*)?|\[[0-9a-f:.]+\](:[0-9]*)?")
"""What a host may be written with; anything else might end it early for some server."""
_HOST_PATTERN: Final = re.compile(r"[\w.:*?!\[\]-]*")
_MARK: Final = re.compile("[?#]")
_LITERAL: Final = re.compile(r"\[([*?[])\]")
_BETWEEN_ADDRESSES: Final = re.compile(r"\s*[,;]\s*")
_LOCAL_PART: Final = re.compile(r"[^\s,;<>@/\\]+")
_DOMAIN: Final = re.compile(r"[\w.-]+")
_DOMAIN_PATTERN: Final = re.compile(r"[\w.*?!\[\]-]+")
_BARE_HOST: Final = re.compile(r"[\w*?-]+(\.[\w*?-]+)+\.?(:[\d*?]+)?")


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
    if any(_LITERAL.sub(r"\1", pattern) == target for pattern in patterns):
        return True  # to the letter what a person wrote, however it is read
    return bool(patterns) and all(_allows_part(_read_patterns(patterns), p) for p in parts(target))


def _allows_part(patterns: Sequence[Sequence["Reading"]], target: str) -> bool:
    """Whether each reading of one target fits one of the patterns, read alike."""
    done: tuple[Reading, Sequence[Reading]] | None = None
    for reading, alike in zip(readings(target), patterns, strict=True):
        if done is not None and done[0] is reading and done[1] is alike:
            continue  # nothing in either is read differently
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
        `url`, `mailbox`, `text`, or `unclear`: servers differ about what it names.
    fields
        Scheme, host and the rest; local part and domain; the whole.
    """

    kind: str
    fields: tuple[str, ...]


def readings(text: str, *, of_pattern: bool = False) -> list[Reading]:
    """The text as it stands, decoded, and decoded once more; each as a URL's and as a file's."""
    found = _read_both(text, of_pattern)
    for _ in range(_DECODINGS):
        decoded = _decoded(text)
        found += found[-2:] if decoded == text else _read_both(decoded, of_pattern)
        text = decoded
    return found


def literal(text: str) -> str:
    """The pattern that fits this text alone; `_LITERAL` undoes it."""
    return re.sub(r"([*?[])", r"[\1]", text)


@lru_cache(256)
def _read_patterns(patterns: Patterns) -> Sequence[Sequence[Reading]]:
    """By the number of the reading: each pattern, read so; one object where nothing differs."""
    columns: list[Sequence[Reading]] = []
    for column in zip(*(readings(each, of_pattern=True) for each in patterns), strict=True):
        columns.append(columns[-1] if columns and columns[-1] == column else column)
    return columns


def _decoded(text: str) -> str:
    """The text as lenient servers take it before they resolve it."""
    if _PLAIN.fullmatch(text):  # as most are
        return text
    plain = _CODED.sub(lambda code: chr(int(code[1], 16)), text).translate(_FOLDED)
    return _PARAMETERS.sub(r"\1", plain.strip(_TRIMMED))


def _read_both(text: str, of_pattern: bool) -> list[Reading]:
    """As a URL's and as a file's, which differ about `..` alone."""
    as_file = _read(text, True, of_pattern)
    return [_read(text, False, of_pattern) if ".." in text else as_file, as_file]


def _read(text: str, as_file: bool, of_pattern: bool) -> Reading:
    url = _URL.fullmatch(text)
    end = url.start(5) if url else len(text)  # what follows a URL's path may be in any encoding
    if "\0" in text or _OVERLONG.search(text, 0, end):
        return Reading("unclear", (text,))
    if url:
        scheme, user, host = url[1].lower(), url[2] or "", url[3].lower()
        clear = (_HOST_PATTERN if of_pattern else _HOST).fullmatch(host)
        hostless = not host and scheme not in _WEB_PORTS  # as in `file:///srv`
        if not _USER.fullmatch(user) or not (clear or hostless):
            return Reading("unclear", (text,))
        host = host.removesuffix(_WEB_PORTS.get(scheme, "\0")).removesuffix(".")
        return Reading("url", (scheme, host, (_resolve(url[4], as_file) or "/") + url[5]))
    if _WEB.match(text):
        return Reading("unclear", (text,))
    local, at, domain = text.strip().rpartition("@")
    clear = (_DOMAIN_PATTERN if of_pattern else _DOMAIN).fullmatch(domain)
    if at and clear and _LOCAL_PART.fullmatch(local):
        return Reading("mailbox", (local.lower(), domain.lower().removesuffix(".")))
    if _BARE_HOST.fullmatch(text):
        return Reading("text", (text.lower().removesuffix("."),))
    return Reading("text", (_resolve_text(text, as_file),))


def _resolve_text(text: str, as_file: bool) -> str:
    """A file's path goes to the end; a URL's, which may stand without its host, to `?` or `#`."""
    mark = None if as_file else _MARK.search(text)
    end = mark.start() if mark else len(text)
    return _resolve(text[:end], as_file) + text[end:]


def _resolve(path: str, as_file: bool) -> str:
    """The path without `.`, `..` and doubled slashes.

    To a file system a doubled slash is one; by RFC 3986 (5.2.4) `..` takes back one of the two.
    """
    if "/" not in path and path not in (".", ".."):
        return path
    lead = path[: len(path) - len(path.lstrip("/"))][:2]
    kept: list[str] = []
    segments = path.lstrip("/").split("/")
    for segment in segments:
        if segment == ".." and (lead or (kept and kept[-1] != "..")):
            del kept[-1:]
        elif segment != "." and (segment or not as_file):
            kept.append(segment)
    kept = [segment for segment in kept if segment]
    closing = "/" if kept and segments[-1] in ("", ".", "..") and kept[-1] != ".." else ""
    return lead + "/".join(kept) + closing


def _fits(pattern: Reading, target: Reading) -> bool:
    """Field by field, so that no wildcard reaches from a path, or a name, into a host."""
    if pattern.kind == target.kind != "unclear":
        return all(map(fnmatchcase, target.fields, pattern.fields))
    return pattern.fields == ("*",)
