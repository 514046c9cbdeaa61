"""A clerk: an agent whose runs are judged and learned, one after the other, in tests of runs."""

from typing import Any, Final

from baselines.cohort import Cohort
from baselines.effect import EffectMap
from baselines.profile import Observation, Profile, Rules
from detectors.finding import Finding
from detectors.surprise import Surprise
from tests.kit.events import START_S, event

HOUR_S: Final = 3600.0
DAY_S: Final = 24 * HOUR_S

Act = dict[str, Any]
"""Fields of one event."""


def act(tool: str, target: str | None = None, origin: str | None = None, **fields: Any) -> Act:
    """What one event does; `origin` may name the tool whose result brought the target in."""
    source = None if origin in (None, "user", "model") else origin
    origin = "tool" if source else origin
    place = {"target_origin": origin, "target_source": source}
    return {"tool": tool, "target": target, **place, **fields}


def send(mailbox: str, origin: str | None = None) -> Act:
    """A mail to a mailbox."""
    return act("send_email", mailbox, origin)


def day_work(number: int) -> tuple[Act, ...]:
    """One of the runs that the clerk always does: mail read and answered, a page looked up."""
    colleague = ("ann", "bob", "cid")[number % 3]
    return (
        act("read_mail", f"MAIL-{number}", "user"),
        act("read_page", f"https://wiki.corp.example/{number % 5}", "model"),
        send(f"{colleague}@corp.example", "user" if number % 2 else "read_mail"),
    )


class Clerk:
    """One agent under `Surprise`; a run begins an hour after the one before it."""

    def __init__(self, rules: Rules | None = None, cohort: Cohort | None = None) -> None:
        self.rules = rules or Rules()
        self.profile = Profile("clerk-1", self.rules)
        self.cohort = cohort
        self.detector = Surprise()
        self.now_s = START_S
        self.runs = 0

    def run(
        self, *acts: Act, after_s: float = HOUR_S, name: str | None = None, **fields: Any
    ) -> list[Finding]:
        """One run of these acts, a second apart; what is found in it."""
        self.now_s += after_s
        self.runs += 1
        name = name or f"run-{self.runs}"
        found: list[Finding] = []
        for second, what in enumerate(acts):
            seen = self._observe(what | fields, self.now_s + second, name)
            findings = self.detector.judge(seen)
            self.profile.learn(seen, [f.hold for f in findings if f.hold])
            found += findings
        return found

    def work(self, runs: int, **fields: Any) -> "Clerk":
        """So many of its ordinary runs."""
        for _ in range(runs):
            self.run(*day_work(self.runs), **fields)
        return self

    def pause(self) -> "Clerk":
        """An hour without an event, and one that ends the runs before it."""
        self.run(act("read_mail", "MAIL-0", "user"))
        return self

    def twin(self) -> "Clerk":
        """Another clerk with the same past, read back from what is stored."""
        other = Clerk(self.rules, self.cohort)
        other.profile = Profile.load(self.profile.dump(), self.rules)
        other.now_s, other.runs = self.now_s, self.runs
        return other

    def score(self, *acts: Act, **fields: Any) -> float:
        """How odd the last act of such a run would be, in nats; nothing of it is learned."""
        other = self.twin()
        other.run(*acts[:-1], **fields)
        seen = other._observe(acts[-1] | fields, other.now_s + len(acts), f"run-{other.runs}")
        other.detector.judge(seen)
        return seen.scores["run"]

    def _observe(self, fields: Act, time_s: float, name: str) -> Observation:
        number = int((time_s - START_S) * 10)
        what = event(number, time_s, agent_id="clerk-1", trace_id=name, **fields)
        return self.profile.observe(what, EffectMap(), self.cohort)
