"""A shard that this process owns: its claim, its profiles, how far it was read and saved."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from baselines.event import ActionEvent
from detectors.due import DueTimes
from detectors.finding import Anomaly
from detectors.shard import Policy, Shard
from detectors.silence import Silence
from monitor.keeping import Keeping
from monitor.ledger import directives
from monitor.ledger.actions import row
from monitor.ledger.directives import Directive
from monitor.saving import Saving
from monitor.sources import Place
from monitor.store import Store, cohorts, shards
from monitor.store.moved import copy, known_elsewhere
from monitor.store.shards import Claim

log = logging.getLogger(__name__)

ANY: Final = "any detector"
"""What an event was not judged for that could not be learned."""
NOT_SAVED: Final = -1
"""Below every offset: of a shard of which not even is stored where reading began."""


@dataclass(slots=True)
class Owned:
    """A shard that is ours, with where it stands.

    Attributes
    ----------
    number
        Of the partition within the source.
    next_offset
        The offset after the last record that was fed to the shard.
    saved_offset
        `next_offset` as the last checkpoint has it.
    watermark_s
        Log time of the newest record, in seconds since the epoch; no later than it was read.
    pending
        Directives stamped further on in the log, to be applied again when it is fed to there.
    applied
        Numbers of the directives that were applied since the claim.
    keeping
        What agents did, as far as it is kept and not in the store yet.
    saving
        The checkpoint that is under way.
    """

    claim: Claim
    shard: Shard
    next_offset: int
    saved_offset: int
    watermark_s: float = 0.0
    number: int = 0
    pending: list[Directive] = field(default_factory=list)
    applied: set[int] = field(default_factory=set)
    saving: Saving | None = None
    keeping: Keeping = field(init=False)

    def __post_init__(self) -> None:
        self.keeping = Keeping(self.claim)

    @classmethod
    def take(
        cls, store: Store, source: str, partition: int, policy: Policy, owner: str
    ) -> tuple["Owned", Place | None]:
        """Claim a shard; returns it and its last place, None where reading never began.

        Raises
        ------
        ShardLostError
            If a later claim was faster.
        """
        now_s = time.time()
        with store.ledger() as ledger:
            claim = shards.claim(ledger, source, partition, owner=owner, now_s=now_s)
        with store.state() as state:
            place = shards.adopt(state, claim, now_s)
            shared, due = shards.load_shared(state, claim)
            known = cohorts.load(state, claim)
        saved = place.next_offset if place else NOT_SAVED
        shard = Shard(source, partition, policy)
        if shared is not None:
            shard.silence = _silence(claim, shared, due)
        for role, cohort in known:
            shard.cohorts.admit(role, cohort)
        owned = cls(claim, shard, saved, saved)
        owned.recall(store)
        return owned, place

    def recall(self, store: Store) -> None:
        """Look up the directives that the last checkpoint does not hold: to be applied (again)."""
        source, partition = self.claim.source, self.claim.partition
        with store.read() as ledger:
            told = directives.since(ledger, source, partition, self.saved_offset)
        self.pending = [directive for directive in told if directive.seq not in self.applied]

    def absent(self, agent_ids: Iterable[str]) -> set[str]:
        """Those of them whose profile is not in memory."""
        present = self.shard.profiles  # `-` of its keys would walk through all of them
        return {agent_id for agent_id in agent_ids if agent_id not in present}

    def admit(self, store: Store, agent_ids: set[str]) -> None:
        """Bring the stored profiles of these agents into memory.

        Raises
        ------
        ShardLostError
            If one had to be copied from another partition, and the shard is no longer ours.
        """
        rules = self.shard.policy.rules
        with store.read_state() as state:  # which waits for no checkpoint
            found, damaged = shards.load_profiles(state, self.claim, agent_ids, rules)
            known = {one.agent_id for one in found} | {one.agent_id for one in damaged}
            moved = known_elsewhere(state, self.claim, agent_ids - known)
        if damaged:
            with store.state() as state:
                shards.set_aside(state, self.claim, damaged, time.time())
        if moved:
            with store.state() as state:
                found += copy(state, self.claim, moved, rules)
        self.shard.admit(found)

    def feed(
        self, event: ActionEvent, raw: bytes, offset: int, log_s: float, now_s: float | None
    ) -> Sequence[Anomaly]:
        """Judge and learn an event; one that cannot be learned is noted, and stops nobody.

        Parameters
        ----------
        event, raw, offset, log_s
            The event, its bytes, and its place and time in the log.
        now_s
            If given, it is kept what the agent did, as done by then: a log time that is
            yet to come would be kept for ever.
        """
        shard = self.shard
        repeats = shard.tally.repeats
        found: Sequence[Anomaly] = ()
        try:
            found = shard.feed(event, raw, offset)
        except Exception as error:
            shard.note_fault(ANY, error, offset)
        if now_s is not None and shard.tally.repeats == repeats:
            place = (self.claim.source, self.claim.partition, offset)
            effect = shard.policy.effects.of(event)
            self.keeping.add(row(*place, min(log_s, now_s), event, effect))
        return found

    @property
    def snapshot_offset(self) -> int:
        """`next_offset` as the last checkpoint has it, be it stored already or under way."""
        return self.saved_offset if self.saving is None else self.saving.place.next_offset

    def begin_saving(self, notes: Mapping[str, Any]) -> Saving:
        """Begin the checkpoint of what changed; `finish_saving` must follow."""
        place = Place(self.next_offset, notes)
        self.saving = Saving(self.claim, self.shard, place, self.keeping)
        return self.saving

    def finish_saving(self, store: Store) -> None:
        """See to it that the checkpoint is stored.

        Raises
        ------
        ShardLostError
            If the shard is no longer ours; nothing was saved.
        """
        assert self.saving is not None
        self.saving.finish(store)
        self.saved_offset = self.snapshot_offset
        self.saving = self.shard.snapshot = None


def _silence(claim: Claim, shared: Any, due: Sequence[tuple[float, str]]) -> Silence:
    """What agents are missed by; a damaged pulse of their shard is said, and learned anew."""
    try:
        return Silence.load(shared["silence"], due)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        log.error("the pulse of %s/%d is damaged (%s): learning it anew",
                  claim.source, claim.partition, error)  # fmt: skip
        return Silence(due=DueTimes(due))
