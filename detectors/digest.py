"""A digest: by what an agent has widened, and how much busier it is, since it was approved."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from baselines.activity import ENOUGH_HOURS, Hourly
from baselines.approved import Beyond
from detectors.explain import name

if TYPE_CHECKING:  # as in `detectors.drift`
    from baselines.profile import Profile

WEEKS: Final = 4


@dataclass(frozen=True, slots=True)
class Digest:
    """What changed since somebody approved an agent, as of its last event.

    Attributes
    ----------
    approved_at_s, approved_by
        When, in seconds since the epoch; None while it is learned. By whom; None: by nobody, it
        was taken by itself.
    terms
        How many terms are approved.
    runs, beyond_runs
        Of each of the last weeks, oldest first: how many runs, how many beyond the profile.
    breadth
        How many distinct terms beyond the profile were used since; up to some hundred.
    beyond
        The terms that lie beyond it, the newest first; of many the newest only.
    then, now
        What was usual per active hour; None where too little is known.
    """

    agent_id: str
    role: str | None
    approved_at_s: float | None
    approved_by: str | None
    terms: int
    runs: tuple[int, ...]
    beyond_runs: tuple[int, ...]
    breadth: int
    beyond: tuple[Beyond, ...]
    then: Hourly | None
    now: Hourly | None

    @property
    def share(self) -> float:
        """Share of the last week's runs that went beyond."""
        return self.beyond_runs[-1] / max(1, self.runs[-1])

    @property
    def shares(self) -> tuple[float, ...]:
        """The same of each week, oldest first."""
        return tuple(b / max(1, n) for b, n in zip(self.beyond_runs, self.runs, strict=True))


def digest(profile: "Profile") -> Digest:
    """The digest of one agent; changes nothing."""
    approved, activity = profile.conduct.approved, profile.conduct.activity
    counts = [activity.runs(week) for week in reversed(range(WEEKS))]
    now = activity.hourly()
    newest = sorted(approved.beyond.values(), key=lambda term: -term.first_s)
    return Digest(
        profile.agent_id,
        profile.role,
        approved.at_s,
        approved.by,
        approved.terms,
        tuple(runs for runs, _ in counts),
        tuple(beyond for _, beyond in counts),
        approved.breadth,
        tuple(newest),
        approved.hourly,
        now if now.hours >= ENOUGH_HOURS else None,
    )


def day(time_s: float) -> str:
    """A date as people write it in logs.

    Examples
    --------
    >>> day(1_770_000_000)
    '2026-02-02'
    """
    return datetime.fromtimestamp(time_s, UTC).date().isoformat()


def approval(by: str | None, at_s: float | None) -> str:
    """Who approved the profile, in words.

    Examples
    --------
    >>> approval("alice", 1_770_000_000), approval(None, 1_770_000_000)
    ('approved by “alice” on 2026-02-02', 'approved by nobody; taken on 2026-02-02')
    """
    if at_s is None:
        return "not taken yet: the agent is still learned"
    return (
        f"approved by {name(by)} on {day(at_s)}"
        if by
        else f"approved by nobody; taken on {day(at_s)}"
    )


def term(beyond: Beyond) -> str:
    """A term beyond the profile, in words; still hostile, receivers escape it."""
    what = f"{beyond.kind} {name(beyond.text)}"
    if beyond.kind == "target":
        what = f"{name(beyond.tool)} on {name(beyond.text)}"
    runs = "1 run" if beyond.runs == 1 else f"{beyond.runs} runs"
    return f"{what}: first on {day(beyond.first_s)}, in {runs}"


def counted(beyond: Iterable[Beyond]) -> str:
    """How many terms of each kind: `2 tools, 1 verb`."""
    kinds = [term.kind for term in beyond]
    told = [
        f"{kinds.count(kind)} {kind}{'s' if kinds.count(kind) > 1 else ''}"
        for kind in ("tool", "verb", "effect", "target")
        if kind in kinds
    ]
    return ", ".join(told) or "nothing that is still remembered"
