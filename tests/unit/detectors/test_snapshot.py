"""What a snapshot holds is how the profiles were when it was taken, whatever came since."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.packed import Packed, pack
from baselines.profile import Profile
from baselines.rules import Rules
from detectors import residents
from detectors.shard import Shard
from detectors.snapshot import _FREED_AT_ONCE, Snapshot
from tests.unit.detectors.test_shard import POLICY, Step, play, steps


def by_agent(kept: list[Packed]) -> dict[str, Packed]:
    return {packed.summary.agent_id: packed for packed in kept}


@settings(max_examples=30, deadline=None)
@given(steps, steps, st.integers(0, 2), st.sampled_from([1, 1000]))
def test_it_holds_what_was(
    before: list[Step], after: list[Step], turns: int, max_awake: int
) -> None:
    shard = Shard("log", 0, POLICY)
    shard.profiles.max_awake = max_awake
    play(shard, before)
    expected = by_agent([pack(shard.profiles.peek(agent_id)) for agent_id in shard.profiles])
    snapshot = shard.snapshot = Snapshot(shard.profiles, shard.profiles.packed)
    rest = snapshot.put_down()
    for _, _turn in zip(range(turns), rest, strict=False):
        pass
    play(shard, after, first=len(before))
    for _ in rest:
        pass
    assert snapshot.is_whole
    assert by_agent(snapshot.kept) == expected
    assert len(snapshot.kept) == len(expected), "each once"


def test_what_is_stored_is_let_go() -> None:
    shard = Shard("log", 0, POLICY)
    for number in range(_FREED_AT_ONCE + 1):
        shard.admit([Profile(f"agent-{number}", Rules())])
    snapshot = Snapshot(shard.profiles, shard.profiles.packed)
    assert len([None for _ in snapshot.put_down()]) == len(snapshot.kept) == _FREED_AT_ONCE + 1
    snapshot.clear()
    assert snapshot.kept == []
    assert snapshot.is_whole


def test_what_could_not_be_put_down_still_waits() -> None:
    broken = {"a"}

    def pack_unless_broken(agent_id: str) -> Packed:
        if agent_id in broken:
            raise ValueError("not now")
        return pack(Profile(agent_id, Rules()))

    snapshot = Snapshot(["a"], pack_unless_broken)
    with pytest.raises(ValueError, match="not now"):
        snapshot.before_change("a")
    with pytest.raises(ValueError, match="not now"):
        next(snapshot.put_down())
    assert not snapshot.is_whole
    broken.clear()
    assert len([None for _ in snapshot.put_down()]) == 1
    assert snapshot.is_whole


def test_an_agent_that_is_missed_is_put_down_first() -> None:
    shard = Shard("log", 0, POLICY)
    play(shard, [("a", "read", "x", 60, 1)])
    snapshot = shard.snapshot = Snapshot(shard.profiles, shard.profiles.packed)
    shard.changes("a")
    assert list(by_agent(snapshot.kept)) == ["a"]
    assert "a" in shard.dirty


def test_what_is_kept_for_a_checkpoint_goes_with_it() -> None:
    """Also of an agent that is packed while it is under way, when its turn is over."""
    shard = Shard("log", 0, POLICY)
    shard.profiles.max_awake = 2
    play(shard, [("a", "read", "x", 60, 1), ("b", "read", "x", 60, 1)])
    shard.snapshot = Snapshot(shard.dirty, shard.profiles.packed)
    shard.dirty = set()
    for _ in shard.snapshot.put_down():
        pass
    play(shard, [("c", "read", "x", 60, 1), ("d", "read", "x", 60, 1)], first=2)
    assert shard.profiles.awake == 2
    assert not shard.profiles._unsaved


def test_one_that_was_packed_since_it_was_saved_is_not_packed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shard = Shard("log", 0, POLICY)
    shard.profiles.max_awake = 1
    agents = "abcd"
    play(shard, [(agent, "read", "x", 60, 1) for agent in agents])
    expected = by_agent([pack(shard.profiles.peek(agent)) for agent in agents])

    def refused(body: bytes, rules: Rules) -> Profile:
        raise AssertionError("a profile was unpacked to store it")

    monkeypatch.setattr(residents, "unpack", refused)
    snapshot = Snapshot(shard.dirty, shard.profiles.packed)
    for _ in snapshot.put_down():
        pass
    assert by_agent(snapshot.kept) == expected
