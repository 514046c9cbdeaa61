"""The daemon's own rate, volume and novelty, with the state of one agent at a time."""

from dataclasses import replace

import ormsgpack

from baselines.event import ActionEvent
from baselines.profile import Profile
from detectors.budget import Budget
from detectors.shard import Policy, Shard
from detectors.spike import Spikes
from detectors.surprise import Surprise

POLICY = replace(Policy.of(Budget(1.0)), detectors=(Spikes(), Surprise()))
_shard = Shard("job", 0, POLICY)


def kept(profile: Profile) -> bytes:
    """The profile as plain data; `restored` makes the same of it."""
    return ormsgpack.packb(profile.dump())


def restored(data: bytes) -> Profile:
    """Undo `kept`."""
    return Profile.load(ormsgpack.unpackb(data), POLICY.rules)


def step(known: Profile | None, event: ActionEvent) -> tuple[Profile, bool]:
    """Judge an event against what is known of its agent, and learn it."""
    if known is not None:
        _shard.admit([known])
    found = _shard.feed(event, event.event_id.encode(), 0)
    _shard.dirty.clear()
    return _shard.profiles.pop(event.agent_id), bool(found)
