"""A draft: the boundary that what was done fits in, and what was left out of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, get_args

from baselines.event import Effect
from detectors.limits import Kind
from detectors.pattern import Patterns, allows, literal, matches
from monitor.suggest.generalise import Line, count, generalise
from monitor.suggest.usage import Usage, Use, Uses
from monitor.suggest.week import beyond, cell, hours_of

MIN_RUNS: Final = 2
"""What was seen in fewer runs is left out."""
DAYS_FOR_HOURS: Final = 14
"""With less history nothing is said of hours."""
MAX_TERMS: Final = 500
"""So many targets are listed one by one, those used most."""
_DAY_S: Final = 86_400.0


class LeftOut(NamedTuple):
    """Something that was done and that the draft does not allow."""

    kind: Kind
    term: str
    uses: int
    why: str


@dataclass(slots=True)
class Draft:
    """One draft; a key that is None says nothing.

    Attributes
    ----------
    agents, roles
        Whom it covers, as patterns.
    usage
        What it is made of.
    timezone
        Whose clock `hours` mean.
    tools, targets, data_classes
        What it allows.
    never
        Effects that were never seen.
    hours
        When there was anything.
    left_out
        All that a replay of the same log under this draft would call a breach.
    notes
        What the reviewer is to know.
    """

    agents: Patterns
    roles: Patterns
    usage: Usage
    timezone: str
    tools: list[Line] | None = None
    targets: list[Line] | None = None
    data_classes: list[Line] | None = None
    never: list[str] = field(default_factory=list)
    hours: list[str] | None = None
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, usage: Usage, timezone: str, agents: Patterns = (), roles: Patterns = ()
    ) -> "Draft":
        """The draft that follows from what was done."""
        draft = cls(agents, roles, usage, timezone)
        if usage.tools:
            draft.tools = draft._exact("tool", usage.tools, usage.held_tools)
        if usage.targets:
            draft.targets = draft._targets()
        if usage.data_classes:
            draft.data_classes = draft._exact("data class", usage.data_classes, set())
        draft._effects()
        draft._hours()
        draft.left_out.sort()
        return draft

    def _exact(self, kind: Kind, uses: Uses, held: set[str]) -> list[Line]:
        """A line for each term that was used often enough; the rest is left out."""
        lines: list[Line] = []
        for term, use in _by_use(uses):
            pattern = literal(term)
            why = _objection(use, term in held)
            if not why and not (
                allows((pattern,), term) if kind == "target" else matches((pattern,), term)
            ):
                why = "no pattern fits it alone"
            if not why and len(lines) >= MAX_TERMS:
                why = "too many to list"
            if why:
                self.left_out.append(LeftOut(kind, term, use.uses, why))
            else:
                lines.append(count(pattern, [use]))
        return lines

    def _targets(self) -> list[Line]:
        usage = self.usage
        avoid = usage.held_targets | {t for t, use in usage.targets.items() if not use.uses}
        open_ = {term: use for term, use in usage.targets.items() if term not in avoid}
        lines, covered = generalise(open_, avoid)
        rest = {target: use for target, use in usage.targets.items() if target not in covered}
        lines += self._exact("target", rest, usage.held_targets)
        return sorted(lines, key=lambda line: (-line.uses, line.pattern))

    def _effects(self) -> None:
        usage = self.usage
        if usage.from_profile:
            self.notes.append("effects are inferred from the tools' names: check `never`")
        for effect in get_args(Effect):
            use = usage.effects.get(effect, Use())
            if effect in usage.actions:  # `never` is about actions of this name, too
                continue
            why = _objection(use, False)
            if why:
                self.never.append(effect)
                if use.uses or use.refused:
                    self.left_out.append(LeftOut("verb", effect, use.uses, why))

    def _hours(self) -> None:
        usage = self.usage
        if usage.from_profile:
            self.notes.append("hours and data classes are drafted only from an event log")
            return
        days = (usage.last_s - usage.first_s) / _DAY_S
        if days < DAYS_FOR_HOURS:
            self.notes.append(
                f"no hours: {max(days, 0.0):.1f} days of history, and {DAYS_FOR_HOURS} are needed"
            )
            return
        texts = hours_of({k for k, use in usage.hours.items() if len(use.runs) >= MIN_RUNS})
        if not texts:
            self.notes.append("no hours: it acts at all times")
            return
        self.hours = texts
        for key in beyond(usage.hours, texts):
            use = usage.hours[key]
            why = _objection(use, False) or "outside"
            self.left_out.append(LeftOut("hour", cell(key), use.uses, why))

    def document(self) -> dict[str, Any]:
        """As JSON; the names are a contract."""
        usage = self.usage
        return {
            "agents": list(self.agents),
            "roles": list(self.roles),
            "events": usage.events,
            "runs": None if usage.from_profile else len(usage.runs),
            "tools": _lines(self.tools),
            "targets": _lines(self.targets),
            "data_classes": _lines(self.data_classes),
            "never": self.never,
            "hours": self.hours,
            "timezone": self.timezone,
            "left_out": [each._asdict() for each in self.left_out],
            "notes": self.notes,
        }


def _objection(use: Use, held: bool) -> str:
    """Why a term is left out; empty if nothing speaks against it."""
    if held:
        return "in quarantine"
    if not use.uses:
        return "refused each time" if use.refused else "never used"
    return "seen in one run only" if len(use.runs) < MIN_RUNS else ""


def _by_use(uses: Uses) -> Iterable[tuple[str, Use]]:
    return sorted(uses.items(), key=lambda item: (-item[1].uses, item[0]))


def _lines(lines: list[Line] | None) -> list[dict[str, Any]] | None:
    return None if lines is None else [line._asdict() for line in lines]
