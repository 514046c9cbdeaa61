"""What a snapshot holds is how the profiles were when it was taken, whatever came since."""

import ormsgpack
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.profile import Profile
from detectors.shard import Shard
from detectors.snapshot import Snapshot
from tests.unit.detectors.test_shard import POLICY, Step, play, steps


def packed(profile: Profile) -> tuple[str, bytes]:
    return profile.agent_id, ormsgpack.packb(profile.dump())


@settings(max_examples=30, deadline=None)
@given(before=steps, after=steps, turns=st.integers(0, 2))
def test_it_holds_what_was(before: list[Step], after: list[Step], turns: int) -> None:
    shard = Shard("log", 0, POLICY)
    play(shard, before)
    expected = dict(packed(profile) for profile in shard.profiles.values())
    snapshot = shard.snapshot = Snapshot(shard.profiles, shard.profiles.peek, packed)
    rest = snapshot.put_down()
    for _, _turn in zip(range(turns), rest, strict=False):
        pass
    play(shard, after, first=len(before))
    for _ in rest:
        pass
    assert snapshot.is_whole
    assert dict(snapshot.kept) == expected
    assert len(snapshot.kept) == len(expected), "each once"


def test_an_agent_that_is_missed_is_put_down_first() -> None:
    shard = Shard("log", 0, POLICY)
    play(shard, [("a", "read", "x", 60, 1)])
    snapshot = shard.snapshot = Snapshot(shard.profiles, shard.profiles.peek, packed)
    shard.changes("a")
    assert [agent_id for agent_id, _ in snapshot.kept] == ["a"]
    assert "a" in shard.dirty
