"""The approved profile: what a person said that an agent may go on doing, and what went beyond it.

Where nobody has approved anything it is taken by itself once the agent is known, and says so.
It holds groups of targets rather than targets: another file in the same folder is no other job.
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final
from zlib import crc32

from baselines.activity import DAY_S, Hourly
from baselines.target import chain

MAX_TERMS: Final = 512
"""Tools, verbs and effects together."""
MAX_TOOLS_WITH_GROUPS: Final = 128
MAX_GROUPS: Final = 64
"""A tool with more groups of targets than this is approved for any target: it explores."""
MAX_BEYOND: Final = 64
"""Terms beyond it that are kept in words, the newest."""
MAX_COUNTED: Final = 512
"""Terms beyond it that are counted, by hash alone; approving takes them all in."""
MAX_TEXT_CHARS: Final = 120

_MAX_CACHED: Final = 8192
_NO_GROUPS: Final[set[int]] = set()


@dataclass(slots=True)
class Beyond:
    """A term that lies beyond the approved profile.

    Attributes
    ----------
    kind
        `tool`, `verb`, `effect` or `target`.
    tool, text
        The tool that met it, and the term (of a target: its group), both cut; hostile text.
    first_s
        Event time of its first use, in seconds since the epoch.
    runs, days
        In how many runs, and on how many days, it was used.
    last_run, last_day
        Checksum of the run that used it last, and the number of that day since the epoch.
    tool_key
        The tool's hash; approving a target needs it.
    """

    kind: str
    tool: str
    text: str
    first_s: float
    tool_key: int
    runs: int = 0
    days: int = 0
    last_run: int = 0
    last_day: int = 0


class Approved:
    """Hashes of the terms that are approved, and the newest terms that are not.

    Until it is taken, every term that raised no alarm is collected into it.

    Attributes
    ----------
    at_s
        When it was taken or approved, in seconds since the epoch; None while it is collected.
    by
        Who approved it; None: nobody did.
    hourly
        What was usual then; None until a week is known.
    beyond
        The newest terms that are not in it, by hash.
    """

    __slots__ = ("_counted", "_groups", "_terms", "at_s", "beyond", "by", "hourly")

    def __init__(self) -> None:
        self.at_s: float | None = None
        self.by: str | None = None
        self.hourly: Hourly | None = None
        self.beyond: dict[int, Beyond] = {}
        self._counted: dict[int, int] = {}  # of a target with its tool's hash, else 0
        self._terms: set[int] = set()
        self._groups: dict[int, set[int] | None] = {}

    def meet(
        self,
        tool: str,
        action: str,
        effect: str,
        target: str | None,
        *,
        time_s: float,
        run: str,
        learn: bool,
    ) -> bool:
        """Look up everything that an event does; True if all of it is approved, or collected.

        Parameters
        ----------
        tool, action, effect, target
            Of the event.
        time_s, run
            When, and in which run.
        learn
            False where the event was alarmed on: it is not collected then.
        """
        collect = learn and self.at_s is None
        keys = _keys(tool, action, effect)
        tool_key = keys[0]
        known = self._terms.issuperset(keys)
        if not known:
            known = True
            for key, kind, text in zip(
                keys, ("tool", "verb", "effect"), (tool, action, effect), strict=True
            ):
                if key not in self._terms and not (collect and self._collect(key)):
                    self._note(key, Beyond(kind, tool, text, time_s, tool_key), time_s, run)
                    known = False
        if target is not None:
            groups = self._groups.get(tool_key, _NO_GROUPS)
            if groups is not None:
                key, group = _group_key(tool, target)
                if key not in groups and not (collect and self._collect_group(tool_key, key)):
                    self._note(key, Beyond("target", tool, group, time_s, tool_key), time_s, run)
                    known = False
        return known

    def take(self, at_s: float, least_days: int) -> None:
        """The profile as collected so far is what later behaviour is held against.

        Parameters
        ----------
        at_s
            When, in seconds since the epoch.
        least_days
            What was alarmed on is in it only if it was used on so many days.
        """
        self._accept(least_days)
        self.at_s, self.by, self.hourly = at_s, None, None

    def approve(self, by: str, at_s: float) -> None:
        """A person approves what the agent does by now: what lay beyond is in it."""
        self._accept(0)
        for key, tool_key in self._counted.items():  # those that `beyond` has forgotten, too
            self._take_in(key, tool_key)
        self.at_s, self.by, self.hourly = at_s, by, None
        self._counted.clear()

    @property
    def breadth(self) -> int:
        """How many distinct terms beyond it were used since; more than `MAX_COUNTED` count as that.

        Those count, too, that `beyond` has forgotten.
        """
        return len(self._counted)

    @property
    def terms(self) -> int:
        """How many terms it holds; a tool approved for any target counts its targets as one."""
        groups = self._groups.values()
        return len(self._terms) + sum(1 if some is None else len(some) for some in groups)

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same profile of it."""
        groups = [
            [tool, None if some is None else sorted(some)] for tool, some in self._groups.items()
        ]
        beyond = [
            [
                key,
                b.kind,
                b.tool,
                b.text,
                b.first_s,
                b.tool_key,
                b.runs,
                b.days,
                b.last_run,
                b.last_day,
            ]
            for key, b in self.beyond.items()
        ]
        hourly = None if self.hourly is None else list(self.hourly)
        counted = sorted(map(list, self._counted.items()))
        return [self.at_s, self.by, hourly, sorted(self._terms), groups, beyond, counted]

    @classmethod
    def load(cls, data: list[Any]) -> "Approved":
        """Undo `dump`."""
        approved = cls()
        approved.at_s, approved.by, hourly, terms, groups, beyond, counted = data
        approved.hourly = None if hourly is None else Hourly(*hourly)
        for one in counted:  # once they were stored without the tools
            key, tool_key = one if isinstance(one, list) else (one, 0)
            approved._counted[key] = tool_key
        approved._terms = set(terms)
        approved._groups = {tool: None if some is None else set(some) for tool, some in groups}
        approved.beyond = {key: Beyond(*rest) for key, *rest in beyond}
        return approved

    def _accept(self, least_days: int) -> None:
        """Take in what lies beyond and was used on so many days."""
        for key, term in list(self.beyond.items()):
            if term.days >= least_days:
                del self.beyond[key]
                self._take_in(key, term.tool_key if term.kind == "target" else 0)

    def _take_in(self, key: int, tool_key: int) -> None:
        """Approve a term; a target with its tool's hash."""
        if tool_key:
            self._add_group(tool_key, key)
        elif len(self._terms) < MAX_TERMS:
            self._terms.add(key)

    def _collect(self, key: int) -> bool:
        if key in self.beyond or len(self._terms) >= MAX_TERMS:
            return False
        self._terms.add(key)
        return True

    def _collect_group(self, tool_key: int, key: int) -> bool:
        return key not in self.beyond and self._add_group(tool_key, key)

    def _add_group(self, tool_key: int, key: int) -> bool:
        if tool_key not in self._groups:
            if len(self._groups) >= MAX_TOOLS_WITH_GROUPS:
                return False
            self._groups[tool_key] = set()
        groups = self._groups[tool_key]
        if groups is not None:
            groups.add(key)
            if len(groups) > MAX_GROUPS:
                self._groups[tool_key] = None
        return True

    def _note(self, key: int, term: Beyond, time_s: float, run: str) -> None:
        """Count the use of a term that is not approved; the oldest gives way to a new one."""
        if self.at_s is not None and len(self._counted) < MAX_COUNTED:
            self._counted[key] = term.tool_key if term.kind == "target" else 0
        known = self.beyond.get(key)
        if known is None:
            if len(self.beyond) >= MAX_BEYOND:
                del self.beyond[next(iter(self.beyond))]
            term.tool, term.text = term.tool[:MAX_TEXT_CHARS], term.text[:MAX_TEXT_CHARS]
            known = self.beyond[key] = term
        checksum = crc32(run.encode("utf-8", "surrogatepass"))
        if known.runs == 0 or known.last_run != checksum:
            known.runs += 1
            known.last_run = checksum
        day = int(time_s // DAY_S)
        if known.days == 0 or known.last_day < day:
            known.days += 1
            known.last_day = day


@lru_cache(_MAX_CACHED)
def _keys(tool: str, action: str, effect: str) -> tuple[int, int, int]:
    return _key("tool", tool), _key("verb", action), _key("effect", effect)


@lru_cache(_MAX_CACHED)
def _group_key(tool: str, target: str) -> tuple[int, str]:
    group = group_of(target)
    return _key("target", f"{tool}\n{group}"), group


def _key(kind: str, text: str) -> int:
    """A stable hash of eight bytes; long enough that nobody finds a term to hide behind another."""
    data = f"{kind}\n{text}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")


_IN_WORDS: Final = {
    "mailbox": "mailboxes at",
    "host": "hosts of",
    "path": "folder",
    "id": "ids like",
}


def group_of(target: str) -> str:
    """The group that a target belongs to, in words; a bare name stands for itself.

    Examples
    --------
    >>> group_of("https://a.example.net/x"), group_of("bob@corp.example")
    ('hosts of example.net', 'mailboxes at corp.example')
    >>> group_of("/srv/pay/a.csv"), group_of("ORDER-1042"), group_of("customers")
    ('folder /srv/pay', 'ids like A-0', 'customers')
    """
    kind, group, _ = chain(target)
    return f"{_IN_WORDS[kind]} {group}" if kind in _IN_WORDS else target
