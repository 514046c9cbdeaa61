"""The worker's pulse: what other threads may know of its loop, and the clocks of the producers."""

import time
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from baselines.event import ActionEvent
from monitor.dead_letter import DeadLetter
from monitor.decode import Decoded
from monitor.sources import Part

MAX_AGENTS: Final = 1000
"""So many producers' clocks are looked at in a window."""
SAMPLE: Final = 16
"""Of so many consecutive events one is looked at."""
WINDOW_S: Final = 600.0
_ENOUGH: Final = 5


class Skewed(NamedTuple):
    """A producer whose clock differs; `skew_s` is positive if it is ahead of the broker's."""

    agent_id: str
    skew_s: float


class Skew:
    """How late events arrive by their own times, per agent; written by one thread.

    An event that is later than others was delayed; the *least* delay of an agent is that of its
    clock. Two windows are kept, so that what is told is of the last ten to twenty minutes.
    """

    def __init__(self) -> None:
        self._began_s = 0.0
        self._now: dict[str, tuple[float, int]] = {}
        self._before: dict[str, tuple[float, int]] = {}

    def see(self, events: Sequence[Decoded]) -> None:
        """Take in some events of one partition."""
        log_s = events[-1][3]
        if abs(log_s - self._began_s) > WINDOW_S:
            self._began_s, self._before, self._now = log_s, self._now, {}
        now = self._now
        for event, _, _, at_s in events[::SAMPLE]:
            least_s, count = now.get(event.agent_id, (at_s - event.time_s, 0))
            if count or len(now) < MAX_AGENTS:
                now[event.agent_id] = (min(least_s, at_s - event.time_s), count + 1)

    def worst(self, limit_s: float) -> tuple[list[Skewed], int]:
        """The agents whose clock differs by more, the worst first, and of how many that is."""
        seen = dict(self._before)
        for agent_id, (least_s, count) in list(self._now.items()):
            before_s, earlier = seen.get(agent_id, (least_s, 0))
            seen[agent_id] = (min(least_s, before_s), count + earlier)
        skewed = [
            Skewed(agent_id, -least_s)
            for agent_id, (least_s, count) in seen.items()
            # one event from the future says enough; one that is late was perhaps delayed
            if -least_s > limit_s or (least_s > limit_s and count >= _ENOUGH)
        ]
        return sorted(skewed, key=lambda one: -abs(one.skew_s)), len(seen)


class Placement:
    """Whether agents are in the partition that their id leads to; written by one thread.

    Counted over the last one to two windows of log time.
    """

    def __init__(self) -> None:
        self._began_s = 0.0
        self._now, self._before = (0, 0), (0, 0)
        self.example = ""

    def see(self, event: ActionEvent, log_s: float, part: Part, homes: Collection[Part]) -> None:
        """Take in where one event was, and where its agent's events belong: one in each topic."""
        if abs(log_s - self._began_s) > WINDOW_S:
            self._began_s, self._before, self._now = log_s, self._now, (0, 0)
        is_wrong = part not in homes
        if is_wrong:
            leads_to = next((one.partition for one in homes if one.source == part.source), None)
            self.example = f"{event.agent_id} is in {part.partition}, its id leads to {leads_to}"
        seen, wrong = self._now
        self._now = seen + 1, wrong + is_wrong

    def wrong(self) -> tuple[int, int]:
        """How many events were elsewhere, and of how many that were looked at."""
        (seen, wrong), (seen_before, wrong_before) = self._now, self._before
        return wrong + wrong_before, seen + seen_before


class Pulse:
    """Written by the worker's thread, read by others.

    Attributes
    ----------
    turned_at_s
        When its loop last turned, on the monotonic clock.
    refused_at_s
        When another process's claim last made it drop a shard, likewise.
    failing
        Why the store takes nothing from it now; None while it does.
    impostor
        The last record that spoke for an agent and was not allowed to.
    """

    def __init__(self) -> None:
        self.turned_at_s = time.monotonic()
        self.refused_at_s: float | None = None
        self.refused = ""
        self.failing: str | None = None
        self.impostor: DeadLetter | None = None
        self.skew = Skew()
        self.placement = Placement()

    def see(self, events: Sequence[Decoded], part: Part, homes: Collection[Part]) -> None:
        """Take in some events of one partition, and where those of the last one's agent belong."""
        self.skew.see(events)
        event, _, _, log_s = events[-1]  # one of a slice will do
        self.placement.see(event, log_s, part, homes)

    def see_refused(self, refused: Sequence[DeadLetter]) -> None:
        """Take in what was refused of one partition."""
        for letter in refused:
            if letter.kind == "impostor":
                self.impostor = letter

    def rested_s(self) -> float:
        """For how long the loop has not turned."""
        return time.monotonic() - self.turned_at_s

    def turn(self) -> None:
        """The loop turns."""
        self.turned_at_s = time.monotonic()

    def refuse(self, shard: str) -> None:
        """A shard was dropped: another process has claimed it."""
        self.refused_at_s, self.refused = time.monotonic(), shard
