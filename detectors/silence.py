"""Silence: the agent stopped reporting while it should act."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from baselines.event import MAX_AHEAD_S
from baselines.profile import Observation, Profile
from baselines.rhythm import DAY_S
from detectors.due import DueTimes
from detectors.explain import lasting
from detectors.finding import Finding, Severity
from detectors.pulse import Pulse

MIN_HISTORY_S: Final = 3.0 * DAY_S
"""An agent known for less is not missed."""
MIN_PAUSE_S: Final = 300.0
"""No pause below this is odd, however busy the agent is."""
_BUSY_PAUSE_S: Final = 1800.0
"""An agent that is missed within this acts every minute or so: it is the worse sign."""
_ORDINARY: Final = 0.1
"""A pause that this share of its hours reach is told as what is usual."""


class Silence:
    """Waits for the agents of a shard by event time; all of what it knows is saved with it.

    A clock of a producer may run ahead by `MAX_AHEAD_S`, and some agents' events come late, so an
    agent is missed only when the watermark has passed its due time by as much.

    Parameters
    ----------
    pulse
        The shard's.
    due
        When each agent is due.
    """

    name = "silence"

    def __init__(self, pulse: Pulse | None = None, due: DueTimes | None = None) -> None:
        self.pulse = pulse or Pulse()
        self.due = due or DueTimes()

    def note(self, seen: Observation) -> None:
        """Score the pause that an event ends: the agent's longest in this hour, so far."""
        profile, score = seen.profile, 0.0
        if profile.events:
            last_s, time_s = profile.last_seen_s, seen.time_s
            seen.excused = self.pulse.outages_since(last_s)
            score = profile.rhythm.silence(last_s, time_s, seen.excused)
        seen.scores["silence"] = score

    def wait_for(self, profile: Profile) -> None:
        """Wait for an agent that acts in a new hour, once enough is known of it."""
        watermark_s = self.pulse.watermark_s
        profile.lag_s = max(0.0, watermark_s - profile.last_seen_s)
        known_s = profile.last_seen_s - profile.first_seen_s
        calibrated = profile.tails["silence"].calibrated and known_s >= MIN_HISTORY_S
        if calibrated and profile.due_s is None:
            self._add(profile, self._due_s(profile))

    def look(self, profile: Profile) -> Finding | None:
        """Whether an agent is missed whose time has come; if not, it is waited for again."""
        due_s, profile.due_s = self._due_s(profile), None
        if due_s > self.pulse.watermark_s:
            self._add(profile, due_s)
            return None
        profile.rhythm.missed = True
        return self._finding(profile, due_s)

    def _add(self, profile: Profile, due_s: float) -> None:
        profile.due_s = due_s
        self.due.add(due_s, profile.agent_id)

    def _due_s(self, profile: Profile) -> float:
        return _slack_s(profile) + max(
            profile.last_seen_s + MIN_PAUSE_S, self._reaches(profile, _limit(profile))
        )

    def _reaches(self, profile: Profile, odd: float) -> float:
        last_s = profile.last_seen_s
        return profile.rhythm.until(last_s, odd, self.pulse.outages_since(last_s))

    def _finding(self, profile: Profile, due_s: float) -> Finding:
        last_s, watermark_s = profile.last_seen_s, self.pulse.watermark_s
        tail, rhythm = profile.tails["silence"], profile.rhythm
        usual_s = self._reaches(profile, tail.limit(_ORDINARY)) - last_s
        allowed_s, silent_s = due_s - last_s, watermark_s - last_s
        odd = rhythm.silence(last_s, watermark_s, self.pulse.outages_since(last_s))
        last = datetime.fromtimestamp(last_s, UTC)
        return Finding(
            detector=self.name,
            subject="silent",
            episode=f"since:{last_s:.6f}",
            observed=silent_s / 60,
            expected=usual_s / 60,
            unit="minutes without an action",
            threshold=allowed_s / 60,
            p_value=tail.p_value(odd),
            calibration="calibrated",
            severity=Severity.HIGH if allowed_s <= _BUSY_PAUSE_S else Severity.MEDIUM,
            text=(
                f"has not acted for {lasting(silent_s)}, since {last:%A %H:%M} UTC, while other "
                f"agents went on; up to {lasting(allowed_s)} would have been ordinary"
            ),
            evidence=(f"in nine hours of ten such a pause was over within {lasting(usual_s)}",),
            history=(*rhythm.usual(watermark_s)[:-1], 0.0),
        )

    def dump(self) -> list[Any]:
        """What the agents share; their due times stand beside their profiles."""
        return self.pulse.dump()

    @classmethod
    def load(cls, data: list[Any], due: Iterable[tuple[float, str]]) -> "Silence":
        """Undo `dump`, with the due times of the stored profiles."""
        return cls(Pulse.load(data), DueTimes(due))


def _slack_s(profile: Profile) -> float:
    return max(MAX_AHEAD_S, profile.lag_s)


def _limit(profile: Profile) -> float:
    alpha = profile.rules.alpha("silence", profile.rhythm.hours_per_week)
    return profile.tails["silence"].limit(alpha)
