"""Conduct: what an agent does over days and within a run, beside what it was approved to do.

The parts that look across events: the approved profile and what went beyond it, how busy the
agent's days are, the grants it holds, and what each open run was in touch with.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from baselines.activity import ENOUGH_HOURS, WEEK_DAYS, Activity
from baselines.approved import MAX_TEXT_CHARS, Approved
from baselines.exposure import CONFIDENTIAL, CONFIDENTIAL_CLASSES, UNTRUSTED
from baselines.hold import Hold
from baselines.privileges import VERBS, Privileges
from baselines.ways_out import WaysOut, way_out

if TYPE_CHECKING:
    from baselines.observation import Observation

MAX_RUNS: Final = 64
"""Runs of one agent that are followed at once; of more, the one that began first is let go."""
MAX_KNOWN_CALLS: Final = 1024

WIDENED, MORE_CALLS, MORE_BYTES, BROADER = WAYS = range(4)
"""Ways to drift."""
BOTH: Final = UNTRUSTED | CONFIDENTIAL
_BEYOND, _SENT, _TRIED = 4, 8, 16

Call = tuple[str, str, str | None, str | None]
"""Tool, action, target and reported effect: what decides which terms an event holds."""


@dataclass(slots=True)
class Contact:
    """What one open run was in touch with.

    Attributes
    ----------
    bits
        `UNTRUSTED`, `CONFIDENTIAL`, and what was counted of it already.
    untrusted, confidential
        What brought these, cut; hostile text.
    """

    bits: int = 0
    untrusted: str = ""
    confidential: str = ""


class Conduct:
    """All that is known of one agent across its events and runs; bounded in each part.

    Attributes
    ----------
    approved, activity, privileges, ways_out
        The parts.
    drifts
        By way to drift: how far it had gone when it was raised last (0: never), and when.
        More runs and more terms beyond the profile are one story: either notes both.
    """

    __slots__ = ("_known", "_runs", "activity", "approved", "drifts", "privileges", "ways_out")

    def __init__(self) -> None:
        self.approved = Approved()
        self.activity = Activity()
        self.privileges = Privileges()
        self.ways_out = WaysOut()
        self.drifts: list[tuple[float, float]] = [(0.0, 0.0)] * len(WAYS)
        self._runs: dict[str, Contact] = {}
        # Calls all of whose terms are approved, with the bits they bring: not part of the state.
        self._known: dict[Call, int] = {}

    def contact(self, run: str) -> Contact | None:
        """What an open run was in touch with; None if it is not followed."""
        return self._runs.get(run)

    def approve(self, by: str, at_s: float) -> None:
        """A person approves what the agent does by now; it drifts from here."""
        self._known.clear()
        self.approved.approve(by, at_s)
        self.activity.forget_beyond()
        self.drifts = [(0.0, 0.0)] * len(WAYS)

    def learn(self, seen: "Observation", holds: Collection[Hold]) -> None:
        """Learn one observed event."""
        event, time_s = seen.event, seen.time_s
        for hold in holds:
            self._note(hold, time_s)
        activity = self.activity
        if time_s >= activity.hour_end_s:
            activity.next_hour(time_s)
            self._look(seen)
        activity.calls += 1
        if event.bytes_out:
            activity.bytes_out += event.bytes_out
        contact = self._runs.get(seen.run)
        if contact is None:
            contact = self._begin(seen.run)
        brought = self._known.get((seen.tool, event.action, event.target, event.effect))
        if brought is None:
            # an odd amount or hour is not about what the event does
            odd = any(hold.what == "run" for hold in holds)
            brought = self._meet(seen, contact, learn=not odd)
        if event.data_class in CONFIDENTIAL_CLASSES:
            brought |= CONFIDENTIAL
        if brought and contact.bits & BOTH != BOTH:
            _touch(contact, brought, f"{seen.tool} {event.target or ''}")
        if contact.bits & BOTH == BOTH and seen.effect == "external":
            self._sent(seen, contact)
        if event.action in VERBS:
            rules = seen.profile.rules
            self.privileges.take(event, rules.promote_runs, rules.promote_after_s)

    def _note(self, hold: Hold, time_s: float) -> None:
        """Remember what was raised, so that it is raised once."""
        if hold.what == "drift" and hold.metric in (WIDENED, BROADER):
            # one story, however it was told
            runs, beyond = self.activity.runs()
            self.drifts[WIDENED] = (beyond / max(1, runs), time_s)
            self.drifts[BROADER] = (float(self.approved.breadth), time_s)
        elif hold.what == "drift":
            self.drifts[hold.metric] = (hold.value, time_s)
        elif hold.what == "grant":
            self.privileges.alarmed_overdue(hold.term)
        elif hold.what == "grants":
            self.privileges.alarmed_many(int(hold.value))

    def _look(self, seen: "Observation") -> None:
        """Once an hour: take the profile, and what is usual, once a week and its runs are known."""
        approved, activity = self.approved, self.activity
        first_day = activity.first_day
        if first_day is None or activity.today - first_day < WEEK_DAYS:
            return
        if approved.at_s is None and seen.profile.tails["run"].calibrated:
            approved.take(seen.time_s, seen.profile.rules.promote_runs)
            self._known.clear()
        if approved.at_s is not None and approved.hourly is None:
            hourly = activity.hourly()
            approved.hourly = hourly if hourly.hours >= ENOUGH_HOURS else None

    def _begin(self, run: str) -> Contact:
        if len(self._runs) >= MAX_RUNS:
            del self._runs[next(iter(self._runs))]
        self.activity.count_run()
        contact = self._runs[run] = Contact()
        return contact

    def _meet(self, seen: "Observation", contact: Contact, *, learn: bool) -> int:
        """Look up a call that is not known to be approved; returns the bits it brings."""
        event, effect = seen.event, seen.effect
        approved = self.approved
        known = approved.meet(
            seen.tool,
            event.action,
            effect,
            event.target,
            time_s=seen.time_s,
            run=crc32(seen.run.encode("utf-8", "surrogatepass")),
            learn=learn,
        )
        brought = seen.profile.rules.exposure.of(event, effect)
        if known:
            if len(self._known) >= MAX_KNOWN_CALLS:
                self._known.clear()
            self._known[seen.tool, event.action, event.target, event.effect] = brought
        elif approved.at_s is not None and not contact.bits & _BEYOND:
            contact.bits |= _BEYOND
            self.activity.count_beyond()
        return brought

    def _sent(self, seen: "Observation", contact: Contact) -> None:
        """A run that met both sends outside, or tries to: count it once."""
        refused = seen.event.status == "denied"
        bit = _TRIED if refused else _SENT
        if not contact.bits & bit:
            contact.bits |= bit
            rules = seen.profile.rules
            apart_s = rules.promote_after_s / rules.promote_runs
            self.ways_out.count(way_out(seen.tool, refused), seen.time_s, apart_s)

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same of it."""
        runs = [[run, c.bits, c.untrusted, c.confidential] for run, c in self._runs.items()]
        parts = (self.approved, self.activity, self.privileges, self.ways_out)
        return [[list(drift) for drift in self.drifts], runs, *(part.dump() for part in parts)]

    @classmethod
    def load(cls, data: list[Any]) -> "Conduct":
        """Undo `dump`."""
        conduct = cls()
        drifts, runs, approved, activity, privileges, ways_out = data
        conduct.drifts = [(far, at_s) for far, at_s in drifts]
        conduct._runs = {run: Contact(*rest) for run, *rest in runs}
        conduct.approved = Approved.load(approved)
        conduct.activity = Activity.load(activity)
        conduct.privileges = Privileges.load(privileges)
        conduct.ways_out = WaysOut.load(ways_out)
        return conduct


def is_first(contact: Contact, refused: bool) -> bool:
    """Whether this run has not sent, or tried to send, both outside before."""
    return not contact.bits & (_TRIED if refused else _SENT)


def _touch(contact: Contact, brought: int, what: str) -> None:
    new = brought & BOTH & ~contact.bits
    if new & UNTRUSTED:
        contact.untrusted = what[:MAX_TEXT_CHARS]
    if new & CONFIDENTIAL:
        contact.confidential = what[:MAX_TEXT_CHARS]
    contact.bits |= new
