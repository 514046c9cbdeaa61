"""The digest: what happened in a day or a week, in a few lines. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final, Literal

from alerting.message import Message
from detectors.finding import Severity

Every = Literal["daily", "weekly"]
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Period:
    """What a digest is about: from the digest before to its own time, by the clock of its zone."""

    every: Every
    since: datetime
    until: datetime

    @property
    def identity(self) -> str:
        """The same for every process and every attempt."""
        return f"{self.every}/{self.until.date().isoformat()}"


def period(every: Every, now: datetime, at: time, weekday: str, zone: tzinfo) -> Period:
    """The newest period that is over.

    A time that the clock leaps over counts as the moment at which it leaps; of one that it shows
    twice the first counts.

    Parameters
    ----------
    at, weekday
        When a digest is due, by the clock of `zone`; the weekday only matters for weekly ones.

    Examples
    --------
    >>> from zoneinfo import ZoneInfo
    >>> berlin = ZoneInfo("Europe/Berlin")
    >>> now = datetime(2026, 3, 29, 12, 0, tzinfo=berlin)  # the clock leapt at two
    >>> told = period("daily", now, time(8), "mon", berlin)
    >>> told.identity, (told.until.timestamp() - told.since.timestamp()) / 3600
    ('daily/2026-03-29', 23.0)
    """

    def due(day: date) -> datetime:
        return datetime.combine(day, at, zone)

    day = now.astimezone(zone).date()
    if due(day).timestamp() > now.timestamp():
        day -= timedelta(days=1)
    if every == "weekly":
        day -= timedelta(days=(day.weekday() - WEEKDAYS.index(weekday)) % 7)
    length = timedelta(days=7 if every == "weekly" else 1)
    return Period(every, due(day - length), due(day))


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What happened in a period to the agents of one owner, or to all.

    Attributes
    ----------
    owner
        Whose agents; None: those of nobody, which are all where no owners are configured.
    severities, detectors
        How many alerts of each.
    kept_back
        How many alerts nobody was told of, by why: over budget, muted, explained.
    marked, false
        How many alerts people have judged, and how many of them as expected or false.
    agents, learning
        How many agents are known, and which are still learned, the last seen first.
    creep
        Agents that went beyond their approved profile: id, share of the week's runs, by what.
    expiring, standing
        Valid grants: agent, scope, and when one ends or since when the other stands.
    unused
        Of the standing ones those whose agent did not act in the period: nobody needed them.
    trips
        Agent, and what became of it.
    conditions
        What was wrong with the monitor itself.
    """

    owner: str | None
    period: Period
    incidents: int = 0
    severities: Mapping[str, int] = field(default_factory=dict)
    detectors: Mapping[str, int] = field(default_factory=dict)
    kept_back: Mapping[str, int] = field(default_factory=dict)
    marked: int = 0
    false: int = 0
    agents: int = 0
    learning: Sequence[str] = ()
    learning_count: int = 0
    creep: Sequence[tuple[str, float, str]] = ()
    expiring: Sequence[tuple[str, str, datetime]] = ()
    standing: Sequence[tuple[str, str, datetime]] = ()
    unused: Sequence[tuple[str, str, datetime]] = ()
    trips: Sequence[tuple[str, str]] = ()
    conditions: Sequence[str] = ()

    @property
    def alerts(self) -> int:
        """How many alerts there were."""
        return sum(self.severities.values())

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (
            self.alerts
            or self.trips
            or self.conditions
            or self.agents
            or self.expiring
            or self.standing
        )


def details(facts: Facts) -> tuple[tuple[str, str], ...]:
    """The facts as label and value pairs; every text is still hostile, receivers escape it."""
    told = [("incidents", f"{facts.incidents:,}, of {facts.alerts:,} alerts")]
    if facts.severities:
        told.append(("by severity", _counts(facts.severities)))
        told.append(("by detector", _counts(facts.detectors)))
    if facts.kept_back:
        told.append(("not sent", _counts(facts.kept_back)))
    if facts.marked:
        share = facts.false / facts.marked
        told.append(
            (
                "false alarms",
                f"{facts.false:,} of {facts.marked:,} that people judged ({share:.0%})",
            )
        )
    elif facts.alerts:
        told.append(("false alarms", "nobody has judged an alert yet"))
    if facts.trips:
        told.append(("trips", _some([f"{agent}: {how}" for agent, how in facts.trips])))
    if facts.learning_count:
        many = f"{facts.learning_count:,} of {facts.agents:,} agents: "
        told.append(("still learning", many + _some(facts.learning, facts.learning_count)))
    if facts.creep:
        creep = [f"{agent} {share:.0%} of runs, {what}" for agent, share, what in facts.creep]
        told.append(("beyond their scope", _some(creep)))
    if facts.expiring:
        ending = [f"{agent} {scope} on {_day(at)}" for agent, scope, at in facts.expiring]
        told.append(("grants about to end", _some(ending)))
    if facts.standing:
        standing = [f"{agent} {scope} since {_day(at)}" for agent, scope, at in facts.standing]
        told.append(("standing grants", _some(standing)))
    if facts.unused:
        unused = [f"{agent} {scope} since {_day(at)}" for agent, scope, at in facts.unused]
        told.append(("standing grants unused", f"{_some(unused)}: their agents did not act"))
    if facts.conditions:
        told.append(("the monitor itself", _some(facts.conditions)))
    return tuple(told)


def message(facts: Facts, now: datetime) -> Message:
    """The digest as a message."""
    of = f" of {facts.owner}" if facts.owner else ""
    since, until = (f"{at:%Y-%m-%d %H:%M}" for at in (facts.period.since, facts.period.until))
    return Message(
        kind="digest",
        agent_id="",
        at=now,
        severity=Severity.LOW,
        headline=f"{facts.period.every} digest{of}, {since} to {until} {facts.period.until:%Z}",
        details=details(facts),
        owner=facts.owner,
    )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"{count:,} {name}" for name, count in sorted(counts.items(), key=lambda one: -one[1])
    )


def _some(texts: Sequence[str], count: int | None = None) -> str:
    """The first few, and how many more there are."""
    count = len(texts) if count is None else count
    shown = "; ".join(text if len(text) <= 80 else f"{text[:79]}…" for text in texts[:_NAMED])
    more = count - min(_NAMED, len(texts))
    return f"{shown} and {more:,} more" if more > 0 else shown


def _day(at: datetime) -> str:
    return at.date().isoformat()
