"""A portrait: what a profile says of its agent, as people ask for it; hostile text among it."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Final, NamedTuple

from baselines.habits import Habits
from baselines.profile import Profile
from baselines.rhythm import DAY_S, HOUR_S, SLOTS
from baselines.vocabulary import Vocabulary
from baselines.window import BYTES_IN, BYTES_OUT, CALLS, DENIALS, FAILURES, UNITS, Window

MAX_TERMS: Final = 10
"""So many of each kind are told, the most used first."""
MAX_WAITING: Final = 20
_MONDAY_S: Final = 4 * DAY_S
_METRICS: Final = (CALLS, BYTES_OUT, BYTES_IN, FAILURES, DENIALS)


class Term(NamedTuple):
    """Something that the agent uses, and in how many runs it did."""

    text: str
    runs: int


class Tool(NamedTuple):
    """A tool, the targets it is used on most, and how many there are."""

    text: str
    runs: int
    targets: tuple[Term, ...]
    target_count: int


class Waiting(NamedTuple):
    """A term in quarantine: it came in odd runs, and waits until enough ordinary ones use it.

    Attributes
    ----------
    kind
        `tool`, `target`, `user` or `parent`.
    tool
        On which the target is; None for what is no target.
    """

    kind: str
    tool: str | None
    text: str
    runs: int
    first_s: float
    alarmed: bool


class Volume(NamedTuple):
    """How much of something there is in a window of time.

    Attributes
    ----------
    usual
        At this hour of the week.
    limit
        More than that alarms; None while it is learned.
    recent
        The last windows in which the agent acted, oldest first.
    """

    unit: str
    window_s: int
    usual: float
    limit: float | None
    recent: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """One agent as of its last event.

    Attributes
    ----------
    tools, targets, users, parents
        The most used ones; targets of all tools, parents are who delegates.
    tool_count, target_count
        How many there are.
    effects
        Share of the latest steps by what they do to the world.
    hours
        How likely it acts in each hour of a week, Monday 00:00 UTC first.
    runs_per_week
        How many runs it has.
    run_scores
        How odd its last runs were, in nats, oldest first.
    volumes
        How much it does.
    waiting
        What is in quarantine, the newest first.
    waiting_count
        How much that is.
    probation_until_s
        Until then more of what it does alarms; 0: it is not on probation.
    """

    tools: tuple[Tool, ...]
    tool_count: int
    targets: tuple[Term, ...]
    target_count: int
    users: tuple[Term, ...]
    parents: tuple[Term, ...]
    effects: Mapping[str, float]
    hours: tuple[float, ...]
    runs_per_week: float
    run_scores: tuple[float, ...]
    volumes: tuple[Volume, ...]
    waiting: tuple[Waiting, ...]
    waiting_count: int
    probation_until_s: float


def portrait(profile: Profile) -> Portrait:
    """The portrait of one agent; changes nothing."""
    habits, work = profile.work.habits, profile.work
    waiting = sorted(_waiting(habits), key=lambda term: -term.first_s)
    return Portrait(
        tools=tuple(_tool(habits, term) for term in _most_used(habits.tools)),
        tool_count=len(habits.tools.known),
        targets=_most_used(habits.anywhere.texts),
        target_count=len(habits.anywhere.texts.known),
        users=_most_used(habits.users),
        parents=_most_used(habits.parents),
        effects=habits.effects(),
        hours=tuple(profile.rhythm.p_active(_MONDAY_S + hour * HOUR_S) for hour in range(SLOTS)),
        runs_per_week=work.runs_per_week,
        run_scores=tuple(work.recent_scores),
        volumes=tuple(_volume(w, metric) for w in profile.windows for metric in _METRICS),
        waiting=tuple(waiting[:MAX_WAITING]),
        waiting_count=len(waiting),
        probation_until_s=profile.probation_until_s,
    )


def _most_used(terms: Vocabulary) -> tuple[Term, ...]:
    known = sorted(terms.known.items(), key=lambda term: (-term[1], term[0]))
    return tuple(Term(*term) for term in known[:MAX_TERMS])


def _tool(habits: Habits, term: Term) -> Tool:
    places = habits.targets.get(term.text)
    if places is None:
        return Tool(*term, (), 0)
    return Tool(*term, _most_used(places.texts), len(places.texts.known))


def _volume(window: Window, metric: int) -> Volume:
    level, limit = window.levels[metric], window.limit(metric)
    return Volume(
        UNITS[metric],
        window.length_s,
        level.expected(window.cell),
        limit if isfinite(limit) else None,
        level.recent,
    )


def _waiting(habits: Habits) -> list[Waiting]:
    kinds: list[tuple[str, str | None, Vocabulary]] = [
        ("tool", None, habits.tools),
        ("user", None, habits.users),
        ("parent", None, habits.parents),
        *(("target", tool, places.texts) for tool, places in habits.targets.items()),
    ]
    return [
        Waiting(kind, tool, text, len(held.runs), held.first_s, held.alarmed)
        for kind, tool, terms in kinds
        for text, held in terms.held.items()
    ]
