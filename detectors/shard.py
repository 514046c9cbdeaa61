"""A shard: the profiles of one partition and the detectors over them. Score before learning."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from baselines.cohort import Cohorts
from baselines.event import ActionEvent
from baselines.last_act import keep, recall
from baselines.observation import Observation
from baselines.profile import Profile
from detectors.fault import Fault, following
from detectors.finding import Anomaly, Finding, anomaly_id
from detectors.policy import Policy as Policy
from detectors.residents import Residents
from detectors.silence import Silence
from detectors.snapshot import Snapshot

_MAX_REMEMBERED: Final = 10_000

Observer = Callable[[Observation, Sequence[Finding]], None]


@dataclass(slots=True)
class Tally:
    """What a shard has counted since its last checkpoint.

    Attributes
    ----------
    repeats
        Events that came again, just so; dropped.
    changed_ids
        Events under the id of an earlier one with other content; scored.
    late
        Events from before their agent's open minute; counted in it.
    """

    repeats: int = 0
    changed_ids: int = 0
    late: int = 0


@dataclass(slots=True)
class Shard:
    """One partition of one source: its agents' profiles, in memory.

    Attributes
    ----------
    source, partition
        Which.
    policy
        What decides.
    profiles
        By agent; `admit` those that are stored before their agent's next event.
    dirty
        Agents whose profile changed since the last checkpoint, or since `snapshot` was begun.
    snapshot
        What a checkpoint under way stores: such profiles stay in memory until it is over.
    silence
        Waits for the agents; saved with the shard's offset.
    cohorts
        What agents of one role have in common; saved with the shard's offset, too.
    observer
        Sees each judgement before it is learned, in a replay; must not change anything.
    faults
        Detectors that raised an error, by what their findings are called, since the claim.
    """

    source: str
    partition: int
    policy: Policy
    profiles: Residents = field(init=False)
    dirty: set[str] = field(default_factory=set)
    snapshot: Snapshot | None = None
    tally: Tally = field(default_factory=Tally)
    silence: Silence = field(default_factory=Silence)
    cohorts: Cohorts = field(default_factory=Cohorts)
    observer: Observer | None = None
    faults: dict[str, Fault] = field(default_factory=dict)
    _raised: dict[str, None] = field(default_factory=dict)
    _judges: tuple[Callable[[Observation], Sequence[Finding]], ...] = ()

    def __post_init__(self) -> None:
        self.profiles = Residents(self.policy.rules)
        self._judges = tuple(detector.judge for detector in self.policy.detectors)

    def follow(self, policy: Policy) -> None:
        """Judge by another policy from here on.

        Profiles that are saved leave memory, and load by its rules; the others follow later.
        """
        self.policy = policy
        self._judges = tuple(detector.judge for detector in policy.detectors)
        self.profiles.rules = policy.rules
        self._forget(filter(self._is_saved, self.profiles))

    def admit(self, profiles: Iterable[Profile]) -> None:
        """Take stored profiles into memory."""
        for profile in profiles:
            self.profiles[profile.agent_id] = profile

    def role_of(self, agent_id: str) -> str | None:
        """The role that an agent in memory named last."""
        profile = self.profiles.get(agent_id)
        return None if profile is None else profile.role

    def forget_beyond(self, most: int) -> None:
        """Let the profiles go that were needed least recently and are saved; they load again."""
        excess = len(self.profiles) - most
        if excess > 0:
            self._forget(islice(filter(self._is_saved, self.profiles), excess))

    def _forget(self, agent_ids: Iterable[str]) -> None:
        for agent_id in agent_ids:
            del self.profiles[agent_id]

    def changes(self, agent_id: str) -> None:
        """Note that an agent's profile is about to change."""
        if self.snapshot is not None:
            self.snapshot.before_change(agent_id)
        self.dirty.add(agent_id)

    def _is_saved(self, agent_id: str) -> bool:
        if self.snapshot is not None and agent_id in self.snapshot.agent_ids:
            return False
        return agent_id not in self.dirty

    def _awaits_saving(self, agent_id: str) -> bool:
        """Whether a checkpoint is still to take an agent's profile as it is now."""
        if agent_id in self.dirty:
            return True
        return self.snapshot is not None and self.snapshot.awaits(agent_id)

    def feed(self, event: ActionEvent, raw: bytes, offset: int) -> Sequence[Anomaly]:
        """Judge one event against its agent's past, then learn it.

        Parameters
        ----------
        event
            What happened.
        raw
            The bytes that it was parsed from; tells a repeat from a changed event.
        offset
            Its place in the partition: the evidence.

        Returns
        -------
        Sequence[Anomaly]
            Nearly always empty.
        """
        agent_id, policy, silence = event.agent_id, self.policy, self.silence
        profile = self.profiles.wake(agent_id)
        if profile is None:
            profile = self.profiles[agent_id] = Profile(agent_id, policy.rules)
        self.changes(agent_id)
        known = profile.recall(event.event_id, raw)
        if known == "repeat":
            self.tally.repeats += 1
            return ()
        if known == "changed":
            self.tally.changed_ids += 1
        rhythm, time_s = profile.rhythm, event.time_s
        if time_s < profile.windows[0].start_s:
            self.tally.late += 1
        role = event.role or profile.role
        cohort = self.cohorts.of(role) if policy.rules.cohorts else None
        seen = profile.observe(event, policy.effects, cohort)
        enters = time_s >= rhythm.end_s
        if enters or time_s - profile.last_seen_s > rhythm.longest_s:
            try:
                silence.note(seen)
            except Exception as error:
                self.note_fault(silence.name, error, offset)
        findings: list[Finding] = []
        for judge in self._judges:
            try:
                if found := judge(seen):
                    findings += found
            except Exception as error:
                self._fail(judge, error, offset)
        if self.observer is not None:
            self.observer(seen, findings)
        anomalies: Sequence[Anomaly] = ()
        if findings:
            profile.learn(seen, [finding.hold for finding in findings if finding.hold])
            anomalies = self._anomalies(event, role, seen.effect, findings, offset)
        else:
            profile.learn(seen)
        if time_s >= profile.last_seen_s:
            profile.last_act = keep(event, offset)
        if time_s >= silence.pulse.next_s:
            anomalies = (*anomalies, *self._missed(time_s, offset))
        if enters:
            silence.wait_for(profile)
        self.profiles.settle(silence.pulse.watermark_s, self._awaits_saving)
        return anomalies

    def _missed(self, time_s: float, offset: int) -> list[Anomaly]:
        """Move the watermark; the anomalies of the agents that are silent beyond their time."""
        found: list[Anomaly] = []
        silence = self.silence
        silence.pulse.tick(time_s)
        for agent_id in silence.due.take(time_s):
            try:
                profile = self.profiles.wake(agent_id)
                if profile is None:  # its row was damaged, and it starts anew
                    continue
                self.changes(agent_id)
                finding = silence.look(profile)
            except Exception as error:
                self.note_fault(silence.name, error, offset)
                continue
            if finding is not None and (act := profile.last_act) is not None:
                event = recall(act, agent_id, profile.role, profile.agent_version)
                effect = self.policy.effects.of(event)
                found += self._anomalies(event, profile.role, effect, [finding], act[0])
        return found

    def _fail(
        self, judge: Callable[[Observation], Sequence[Finding]], error: Exception, offset: int
    ) -> None:
        """A detector is broken: that is noted, and neither the event nor the others wait for it."""
        broken = next(one for one in self.policy.detectors if one.judge == judge)
        self.note_fault(broken.name, error, offset)

    def note_fault(self, name: str, error: Exception, offset: int) -> None:
        """Note that an event could not be judged for `name`."""
        self.faults[name] = following(self.faults.get(name), error, offset)

    def _anomalies(
        self,
        event: ActionEvent,
        role: str | None,
        effect: str,
        findings: Sequence[Finding],
        offset: int,
    ) -> Sequence[Anomaly]:
        """The anomalies that are new; one that was raised lately is the same story going on."""
        place = (self.source, self.partition, offset)
        fresh = []
        for finding in findings:
            key = anomaly_id(event.agent_id, finding.detector, finding.subject, finding.episode)
            if key in self._raised:
                continue
            if len(self._raised) >= _MAX_REMEMBERED:
                del self._raised[next(iter(self._raised))]
            self._raised[key] = None
            fresh.append(Anomaly.of(finding, event, effect, place, role))
        return fresh
