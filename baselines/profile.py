"""A profile: all that is known of one agent. Small, and bounded whatever the agent does."""

from collections.abc import Collection
from math import log
from typing import Any, Final, Literal

from baselines.cohort import Cohort
from baselines.conduct import Conduct
from baselines.effect import EffectMap
from baselines.event import ActionEvent
from baselines.hold import Hold
from baselines.last_act import LastAct
from baselines.last_act import dump as dump_act
from baselines.last_act import load as load_act
from baselines.observation import Observation as Observation
from baselines.recent import Recent
from baselines.rhythm import Rhythm
from baselines.rules import FAMILIES as FAMILIES
from baselines.rules import Rules as Rules
from baselines.summary import Learned, Summary
from baselines.tail import Tail
from baselines.vocabulary import Vocabulary
from baselines.window import WINDOWS_S, Window, load_hours, new_hours, outcome
from baselines.work import Work

FORMAT_VERSION: Final = 4

_NOTHING_HELD: Final[frozenset[str]] = frozenset()


class ProfileError(ValueError):
    """Stored data that is no profile of this version."""


class Profile:
    """Everything learned about one agent, from its own events alone.

    Parameters
    ----------
    agent_id
        Whose profile it is.
    rules
        What it is learned by; not part of what is stored.

    Attributes
    ----------
    due_s
        When it is looked whether the agent is missed, in seconds since the epoch; None: not
        waited for.
    lag_s
        How far its events are behind those of other agents of the shard.
    probation_until_s
        Below this event time more of what it does may alarm; 0: it is not on probation.
    """

    __slots__ = (
        "agent_id",
        "agent_version",
        "conduct",
        "due_s",
        "events",
        "first_seen_s",
        "hours",
        "lag_s",
        "last_act",
        "last_seen_s",
        "probation_until_s",
        "recent",
        "rhythm",
        "role",
        "rules",
        "tails",
        "windows",
        "work",
    )

    def __init__(self, agent_id: str, rules: Rules) -> None:
        self.agent_id = agent_id
        self.rules = rules
        self.role: str | None = None
        self.agent_version: str | None = None
        self.events = 0
        self.first_seen_s = 0.0
        self.last_seen_s = 0.0
        self.hours = new_hours(rules.window_alpha)
        self.windows = [Window(length_s, self.hours) for length_s in WINDOWS_S]
        self.rhythm = Rhythm()
        self.last_act: LastAct | None = None
        self.due_s: float | None = None
        self.lag_s = 0.0
        self.probation_until_s = 0.0
        self.recent = Recent()
        self.conduct = Conduct()
        self.tails = {family: Tail() for family in FAMILIES}
        self.work = Work(rules, self.tails["run"])

    def recall(self, event_id: str, raw: bytes) -> Literal["new", "repeat", "changed"]:
        """Whether this event was seen lately: not, just so, or with other content."""
        return self.recent.take(event_id, raw)

    @property
    def tools(self) -> Vocabulary:
        """The tools that the agent uses, by the number of runs that did."""
        return self.work.habits.tools

    @property
    def targets(self) -> dict[str, Vocabulary]:
        """By tool: the targets that the agent uses it on."""
        return {tool: places.texts for tool, places in self.work.habits.targets.items()}

    def put_on_probation(self, until_s: float) -> None:
        """Let more of what it does alarm until then; what is learned, and how, stays the same."""
        self.probation_until_s = until_s
        self._allow(strict=True)

    def alarming(self, alpha: float, time_s: float) -> float:
        """The share of episodes that may alarm at a time, of the share that may usually."""
        return self.rules.strict(alpha) if time_s < self.probation_until_s else alpha

    def observe(
        self, event: ActionEvent, effects: EffectMap, cohort: Cohort | None = None
    ) -> Observation:
        """Count the event into its windows and set it beside the past; learns nothing of it."""
        time_s, over = event.time_s, False
        if time_s >= self.windows[0].end_s:  # the shortest ends first
            self._pass_to(time_s)
        status, bytes_out, bytes_in = event.status, event.bytes_out, event.bytes_in
        counted = None if status == "ok" else outcome(status)
        for window in self.windows:
            over |= window.add(bytes_out, bytes_in, counted)
        return Observation(event, self, effects, cohort, over)

    def _pass_to(self, time_s: float) -> None:
        """Close the windows, and the agent-hour of their levels, that the time lies behind."""
        rules, hours = self.rules, self.hours
        ended = [window for window in self.windows if time_s >= window.end_s]
        allow = 0.0 < self.probation_until_s <= time_s
        if allow:
            self.probation_until_s = 0.0
        for window in ended:
            if window.end_s:
                window.close(rules.promote_after_s)
        if time_s >= hours.end_s:
            tail = self.tails["level"]
            if hours.end_s:
                tail.take(hours.close(), rules.alpha("level", hours.per_week), time_s)
            hours.enter(time_s)
            allow = allow or hours.is_due
        if allow:
            self._allow(strict=self.probation_until_s > 0.0)
        for window in ended:
            window.open(time_s)

    def _allow(self, *, strict: bool) -> None:
        """Set what the levels allow from the open hour on."""
        rules = self.rules
        alpha = rules.alpha("level", self.hours.per_week)
        limit = self.tails["level"].limit(rules.strict(alpha) if strict else alpha)
        self.hours.allow(limit, log(rules.probation_factor) if strict else 0.0)
        for window in self.windows:
            window.forget_limits()

    def learn(self, seen: Observation, holds: Collection[Hold] = ()) -> None:
        """Learn the observed event, apart from what was alarmed on: that waits in quarantine."""
        event, time_s = seen.event, seen.time_s
        if "silence" in seen.scores:  # the pause before it is the longest of its hour, so far
            self._keep_rhythm(seen, seen.scores["silence"], holds)
        if not self.events:
            self.first_seen_s = self.last_seen_s = time_s
        elif time_s > self.last_seen_s:
            self.last_seen_s = time_s
        self.events += 1
        role, version = event.role, event.agent_version
        if role is not None:
            self.role = role
        if version is not None and version != self.agent_version:
            if self.agent_version is not None:
                self.work.change(time_s)
            self.agent_version = version
        run, score, work = seen.open_run, seen.scores.get("run"), self.work
        held = {hold.what for hold in holds} if holds else _NOTHING_HELD
        for hold in holds:
            if hold.what == "window":
                self.windows[hold.window].alarmed.add(hold.metric)
        if score is not None:
            work.take(run, seen.step, score, alarmed="run" in held)
        elif "run" in held:
            run.alarmed = True
        work.repeats.take(
            run, seen.call, seen.streak, "streak" in held, time_s, self.rules.promote_after_s
        )
        self.conduct.learn(seen, holds)

    def _keep_rhythm(self, seen: Observation, pause: float, holds: Collection[Hold]) -> None:
        """Open the hour of an event that begins one, and keep the longest pause in it."""
        rhythm, time_s = self.rhythm, seen.time_s
        if time_s >= rhythm.end_s:
            rules, hours = self.rules, rhythm.hours_per_week
            if self.events:
                alpha = rules.alpha("silence", hours)
                self.tails["silence"].take(rhythm.pause, alpha, time_s)
            if "rhythm" in seen.scores:
                alpha = rules.alpha("rhythm", hours)
                self.tails["rhythm"].take(seen.scores["rhythm"], alpha, time_s)
            rhythm.enter(
                time_s,
                pause,
                excused=seen.excused,
                alarmed=any(hold.what == "hour" for hold in holds),
                promote_runs=rules.promote_runs,
                promote_after_s=rules.promote_after_s,
            )
        else:
            rhythm.longest_s = time_s - self.last_seen_s
            rhythm.pause = max(rhythm.pause, pause)

    def summary(self) -> Summary:
        """What a list of agents shows of it."""
        learned = {f: Learned(tail.episodes, tail.since_s) for f, tail in self.tails.items()}
        return Summary(
            self.agent_id,
            self.role,
            self.agent_version,
            self.first_seen_s,
            self.last_seen_s,
            self.events,
            learned,
        )

    def dump(self) -> list[Any]:
        """Plain data (numbers, strings, lists); `load` makes the same profile of it."""
        parts = {
            "agent_id": self.agent_id,
            "role": self.role,
            "agent_version": self.agent_version,
            "events": self.events,
            "seen_s": [self.first_seen_s, self.last_seen_s],
            "hours": self.hours.dump(),
            "windows": [window.dump() for window in self.windows],
            "work": self.work.dump(),
            "rhythm": self.rhythm.dump(),
            "waited_for": [self.due_s, self.lag_s, dump_act(self.last_act)],
            "recent": self.recent.dump(),
            "conduct": self.conduct.dump(),
            "tails": {family: tail.dump() for family, tail in self.tails.items()},
            "probation_until_s": self.probation_until_s,
        }
        return [FORMAT_VERSION, parts]

    @classmethod
    def load(cls, data: Any, rules: Rules) -> "Profile":
        """Undo `dump`.

        Raises
        ------
        ProfileError
            If the data is of another version or does not have the form of a profile.
        """
        if not isinstance(data, list) or not data or data[0] != FORMAT_VERSION:
            version = data[0] if isinstance(data, list) and data else data
            raise ProfileError(
                f"profile format {version!r:.40}; this version reads {FORMAT_VERSION}"
            )
        try:
            parts = data[1]
            profile = cls(parts["agent_id"], rules)
            profile.role, profile.agent_version = parts["role"], parts["agent_version"]
            profile.events = parts["events"]
            profile.first_seen_s, profile.last_seen_s = parts["seen_s"]
            profile.hours = load_hours(parts["hours"], rules.window_alpha)
            profile.windows = [
                Window.load(window, length_s, profile.hours)
                for window, length_s in zip(parts["windows"], WINDOWS_S, strict=True)
            ]
            profile.rhythm = Rhythm.load(parts["rhythm"])
            profile.due_s, profile.lag_s, act = parts["waited_for"]
            profile.last_act = load_act(act)
            profile.recent = Recent.load(parts["recent"])
            profile.probation_until_s = parts["probation_until_s"]
            profile.conduct = Conduct.load(parts["conduct"])
            profile.tails = {family: Tail.load(parts["tails"][family]) for family in FAMILIES}
            profile.work = Work.load(parts["work"], rules, profile.tails["run"])
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
            raise ProfileError(f"no profile: {error}") from None
        return profile
