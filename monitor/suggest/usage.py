"""Usage: what some agents did, counted term by term."""

from dataclasses import dataclass, field
from typing import Final
from zlib import crc32

from baselines.event import ActionEvent
from detectors.hours import Hours
from detectors.pattern import parts

_HOUR_S: Final = 3600
SATURDAY: Final = 5


@dataclass(slots=True)
class Use:
    """How a term was used.

    Attributes
    ----------
    uses
        How often, refused attempts not counted.
    runs
        Checksums of the runs in which it was; for a profile's terms numbers that stand for them.
    refused
        How many attempts were refused.
    """

    uses: int = 0
    runs: set[int] = field(default_factory=set)
    refused: int = 0


Uses = dict[str, Use]


@dataclass(slots=True)
class Usage:
    """All that a draft is made of.

    Attributes
    ----------
    tools, targets, data_classes, effects, actions
        Uses by term.
    hours
        Uses by part of the week (whether it is the weekend) and hour of the day.
    held_tools, held_targets
        Terms that wait in quarantine: detection alarmed on them, and nobody approved them.
    events
        How many there were.
    runs
        As in `Use`.
    first_s, last_s
        Event times in seconds since the epoch.
    from_profile
        Whether it is what profiles remember, which is less than a log holds.
    """

    tools: Uses = field(default_factory=dict)
    targets: Uses = field(default_factory=dict)
    data_classes: Uses = field(default_factory=dict)
    effects: Uses = field(default_factory=dict)
    actions: Uses = field(default_factory=dict)
    hours: dict[tuple[bool, int], Use] = field(default_factory=dict)
    held_tools: set[str] = field(default_factory=set)
    held_targets: set[str] = field(default_factory=set)
    events: int = 0
    runs: set[int] = field(default_factory=set)
    first_s: float = float("inf")
    last_s: float = float("-inf")
    from_profile: bool = False

    def add(self, event: ActionEvent, effect: str, clock: Hours) -> None:
        """Count one event; `clock` says what hour it was."""
        run = crc32((event.trace_id or f"hour:{event.time_s // _HOUR_S}").encode())
        self.events += 1
        self.runs.add(run)
        self.span(event.time_s, event.time_s)
        local = clock.local(event.time_s)
        used = [
            _use(self.actions, event.action),
            _use(self.effects, effect),
            self.hours.setdefault((local.weekday() >= SATURDAY, local.hour), Use()),
        ]
        if event.tool:
            used.append(_use(self.tools, event.tool))
        if event.target:
            used += [_use(self.targets, part) for part in parts(event.target)]
        if event.data_class:
            used.append(_use(self.data_classes, event.data_class))
        for use in used:
            if event.status == "denied":
                use.refused += 1
            else:
                use.uses += 1
                use.runs.add(run)

    def span(self, first_s: float, last_s: float) -> None:
        """Stretch the time that it covers."""
        self.first_s, self.last_s = min(self.first_s, first_s), max(self.last_s, last_s)


def _use(uses: Uses, term: str) -> Use:
    return uses.setdefault(term, Use())
