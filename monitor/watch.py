"""Watches the stream for agents that were cut off: whether they still act, and since when not.

*Effective* is an `ok` action whose event time and log time both lie after containment plus the
allowed skew; one that succeeded after the order and before that is *early*. Where a person gave a
point up there is no containment, and the moment at which nothing was left to wait for stands in.
*Silent*: everything that was in the partition then was read, and after it no effective action
came for `silent_after_s` of log time, while other records did. That has to be so in each partition
that the agent may write to, and in each other one that it was seen in, whichever process reads it.
"""

from dataclasses import dataclass, field

from baselines.event import ActionEvent
from monitor.ledger.tries import Tries


@dataclass(slots=True)
class Watch:
    """One agent under one trip, as one partition shows it.

    Attributes
    ----------
    ordered_at_s, held_at_s
        From the ledger; `held_at_s` is None until every point confirmed or was given up.
    partition
        Its number within the source.
    place
        How the ledger calls the partition.
    homes
        Likewise, the partitions that the agent may write to.
    silent
        Whether the ledger has it that this partition shows silence.
    end_offset
        Where the partition ended when that was first seen; None until then.
    watched_to
        Records below this offset were counted already, before a restart.
    effective, early, refused
        What was seen since the last report: actions with their offsets, times, a count.
    """

    trip_id: str
    agent_id: str
    partition: int
    place: str
    homes: frozenset[str]
    ordered_at_s: float
    held_at_s: float | None
    silent: bool
    watched_to: int
    end_offset: int | None = None
    last_effective_log_s: float = 0.0
    effective: list[tuple[ActionEvent, int]] = field(default_factory=list)
    early: list[float] = field(default_factory=list)
    refused: int = 0
    now_silent: bool = False
    """What the stream shows at present; `silent` is what the ledger has."""
    restless: bool = False
    """Whether anything was counted that the ledger does not have yet."""

    @property
    def has_news(self) -> bool:
        """Whether there is anything for the ledger."""
        return self.restless or self.is_urgent

    @property
    def is_urgent(self) -> bool:
        """Whether people wait for it."""
        return bool(self.effective) or (self.now_silent and not self.silent)

    def see(self, event: ActionEvent, offset: int, log_s: float, allowed_skew_s: float) -> None:
        """Take in one event of the agent.

        Parameters
        ----------
        event
            Of this agent.
        offset, log_s
            Its place, and when the log took it in, in seconds since the epoch.
        allowed_skew_s
            How far clocks may differ.
        """
        if offset < self.watched_to:
            return
        self.watched_to = offset + 1
        acted_s = event.time_s
        happened_s = min(acted_s, log_s)
        if event.status not in ("ok", "denied") or happened_s < self.ordered_at_s:
            return
        self.restless = True
        if event.status == "denied":
            self.refused += 1
        elif self.held_at_s is None or happened_s <= self.held_at_s + allowed_skew_s:
            self.early.append(acted_s)
        else:
            self.effective.append((event, offset))
            self.last_effective_log_s = log_s

    def tries(self) -> Tries:
        """What was counted since the last report, where nothing was effective."""
        return Tries(self.trip_id, self.place, self.early, self.refused, self.watched_to)

    def is_silent(
        self, next_offset: int, watermark_s: float, silent_after_s: float, allowed_skew_s: float
    ) -> bool:
        """Whether the stream shows that the agent is silent.

        Parameters
        ----------
        next_offset
            How far the agent's partition was read.
        watermark_s
            Log time of the newest record read there.
        silent_after_s, allowed_skew_s
            From the config.
        """
        if self.held_at_s is None or self.end_offset is None or self.effective:
            return False
        quiet_since_s = max(self.held_at_s + allowed_skew_s, self.last_effective_log_s)
        return next_offset >= self.end_offset and watermark_s >= quiet_since_s + silent_after_s
