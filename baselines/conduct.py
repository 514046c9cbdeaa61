"""Conduct: what an agent does over days and within a run, beside what it was approved to do.

The parts that look across events: the approved profile and what went beyond it, how busy the
agent's days are, the grants it holds, and what each open run was in touch with.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final, NamedTuple

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

WIDENED: Final = 0
MORE_CALLS: Final = 1
MORE_BYTES: Final = 2
BROADER: Final = 3
WAYS: Final = (WIDENED, MORE_CALLS, MORE_BYTES, BROADER)
"""Ways to drift."""
BOTH: Final = UNTRUSTED | CONFIDENTIAL
_BEYOND: Final = 4
_SENT: Final = 8
_TRIED: Final = 16


class Contact(NamedTuple):
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


_NOTHING_YET: Final = Contact()
"""Most runs stay so."""


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

    __slots__ = ("_runs", "activity", "approved", "drifts", "privileges", "ways_out")

    def __init__(self) -> None:
        self.approved = Approved()
        self.activity = Activity()
        self.privileges = Privileges()
        self.ways_out = WaysOut()
        self.drifts: list[tuple[float, float]] = [(0.0, 0.0)] * len(WAYS)
        self._runs: dict[str, Contact] = {}

    def contact(self, run: str) -> Contact | None:
        """What an open run was in touch with; None if it is not followed."""
        return self._runs.get(run)

    def approve(self, by: str, at_s: float) -> None:
        """A person approves what the agent does by now; it drifts from here."""
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
        met = self._runs.get(seen.run)
        if met is None:
            met = self._begin(seen.run)
        # an odd amount or hour is not about what the event does
        odd = bool(holds) and any(hold.what == "run" for hold in holds)
        approved = self.approved.meet(
            seen.tool,
            event.action,
            seen.effect,
            event.target,
            time_s=time_s,
            run=seen.run,
            learn=not odd,
        )
        contact = met if approved else self._beyond(met)
        brought = seen.profile.rules.exposure.of(event, seen.effect)
        if event.data_class in CONFIDENTIAL_CLASSES:
            brought |= CONFIDENTIAL
        if brought and contact.bits & BOTH != BOTH:
            contact = _touched(contact, brought, f"{seen.tool} {event.target or ''}")
        if contact.bits & BOTH == BOTH and seen.effect == "external":
            contact = self._sent(seen, contact)
        if contact is not met:
            self._runs[seen.run] = contact
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
        if approved.at_s is not None and approved.hourly is None:
            hourly = activity.hourly()
            approved.hourly = hourly if hourly.hours >= ENOUGH_HOURS else None

    def _begin(self, run: str) -> Contact:
        if len(self._runs) >= MAX_RUNS:
            del self._runs[next(iter(self._runs))]
        self.activity.count_run()
        self._runs[run] = _NOTHING_YET
        return _NOTHING_YET

    def _beyond(self, contact: Contact) -> Contact:
        """A run did what is not approved: count it once, if there is anything approved yet."""
        if self.approved.at_s is None or contact.bits & _BEYOND:
            return contact
        self.activity.count_beyond()
        return contact._replace(bits=contact.bits | _BEYOND)

    def _sent(self, seen: "Observation", contact: Contact) -> Contact:
        """A run that met both sends outside, or tries to: count it once."""
        refused = seen.event.status == "denied"
        bit = _TRIED if refused else _SENT
        if contact.bits & bit:
            return contact
        rules = seen.profile.rules
        apart_s = rules.promote_after_s / rules.promote_runs
        self.ways_out.count(way_out(seen.tool, refused), seen.time_s, apart_s)
        return contact._replace(bits=contact.bits | bit)

    def dump(self) -> list[Any]:
        """Plain data; `load` makes the same of it."""
        runs = [[run, *contact] for run, contact in self._runs.items()]
        parts = (self.approved, self.activity, self.privileges, self.ways_out)
        return [[list(drift) for drift in self.drifts], runs, *(part.dump() for part in parts)]

    @classmethod
    def load(cls, data: list[Any]) -> "Conduct":
        """Undo `dump`."""
        conduct = cls()
        drifts, runs, approved, activity, privileges, ways_out = data
        conduct.drifts = [(far, at_s) for far, at_s in drifts]
        conduct._runs = {run: Contact(*rest) if any(rest) else _NOTHING_YET for run, *rest in runs}
        conduct.approved = Approved.load(approved)
        conduct.activity = Activity.load(activity)
        conduct.privileges = Privileges.load(privileges)
        conduct.ways_out = WaysOut.load(ways_out)
        return conduct


def is_first(contact: Contact, refused: bool) -> bool:
    """Whether this run has not sent, or tried to send, both outside before."""
    return not contact.bits & (_TRIED if refused else _SENT)


def _touched(contact: Contact, brought: int, what: str) -> Contact:
    new = brought & BOTH & ~contact.bits
    what = what[:MAX_TEXT_CHARS]
    return Contact(
        contact.bits | new,
        what if new & UNTRUSTED else contact.untrusted,
        what if new & CONFIDENTIAL else contact.confidential,
    )
