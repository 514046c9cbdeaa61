"""From targets to patterns: a folder, domain or kind of id, where enough of them share it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from detectors.pattern import allows, literal, readings
from monitor.suggest.usage import Use, Uses

TERMS_OF_A_PATTERN: Final = 3
"""So many targets, in so many runs, make a pattern: one hijacked run must not."""
MAX_PATTERNS: Final = 64
_ID: Final = re.compile(r"([^\d/\\@]*)\d[\w.-]*")


class Line(NamedTuple):
    """One thing that a draft allows, and what speaks for it."""

    pattern: str
    terms: int
    uses: int
    runs: int


def generalise(targets: Uses, avoid: Iterable[str]) -> tuple[list[Line], set[str]]:
    """Patterns that several of the targets share, none of which allows one to avoid.

    Returns
    -------
    tuple[list[Line], set[str]]
        The narrowest that are shared, or if these are very many the widest; and what they allow.
    """
    avoid = tuple(avoid)
    members: dict[str, list[str]] = {}
    for target in targets:
        for pattern in wider(target):
            if allows((pattern,), target):
                members.setdefault(pattern, []).append(target)
    shared = {
        pattern: terms
        for pattern, terms in sorted(members.items())
        if len(terms) >= TERMS_OF_A_PATTERN and not any(allows((pattern,), a) for a in avoid)
    }
    narrow = sorted(shared, key=lambda pattern: (len(shared[pattern]), -len(pattern), pattern))
    chosen = _choose(narrow, shared, targets)
    return chosen if len(chosen[0]) <= MAX_PATTERNS else _choose(narrow[::-1], shared, targets)


def _choose(
    order: list[str], shared: Mapping[str, list[str]], targets: Uses
) -> tuple[list[Line], set[str]]:
    """Take patterns in this order, each for the targets that none before it allows."""
    lines: list[Line] = []
    covered: set[str] = set()
    for pattern in order:
        terms = [term for term in shared[pattern] if term not in covered]
        line = count(pattern, [targets[term] for term in terms])
        if min(line.terms, line.runs) >= TERMS_OF_A_PATTERN:
            lines.append(line)
            covered.update(terms)
    return lines, covered


def count(pattern: str, uses: list[Use]) -> Line:
    """The line of a pattern that stands for these uses."""
    runs = set[int]().union(*(use.runs for use in uses))
    return Line(pattern, len(uses), sum(use.uses for use in uses), len(runs))


def wider(target: str) -> Iterator[str]:
    """What a target belongs to, from narrow to wide; never everything.

    Examples
    --------
    >>> list(wider("https://a.example/b/c?d")), list(wider("Ann@corp.example"))
    (['https://a.example/b/*', 'https://a.example/*'], ['*@corp.example'])
    >>> list(wider("/srv/pay/may.csv")), list(wider("ORDER-1042"))
    (['/srv/pay/*', '/srv/*'], ['ORDER-[0-9]*'])
    """
    kind, fields = readings(target)[0]
    if kind == "mailbox":
        yield f"*@{literal(fields[1])}"
    elif kind == "url":
        scheme, host, rest = fields
        folders = re.split(r"[?#]", rest)[0].split("/")[:-1]
        for depth in range(len(folders), 0, -1):
            yield f"{scheme}://{literal(host)}{literal('/'.join(folders[:depth]))}/*"
    elif "/" in fields[0]:
        folders = fields[0].split("/")[:-1]
        for depth in range(len(folders), 0, -1):
            if folders[depth - 1] not in ("", ".."):
                yield literal("/".join(folders[:depth])) + "/*"
    elif identifier := _ID.fullmatch(target):
        yield literal(identifier[1]) + "[0-9]*"
    elif fields[0].count(".") > 1:
        yield "*." + literal(fields[0].split(".", 1)[1])
