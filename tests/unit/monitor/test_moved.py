"""An agent that turns up in another partition starts from a copy of what it was."""

import pytest
from ormsgpack import packb

from baselines.packed import pack
from baselines.profile import Profile, Rules
from detectors.budget import Budget
from detectors.shard import Policy
from monitor.owned import Owned
from monitor.sources import Place
from monitor.store import Store, shards
from monitor.store.shards import Claim, ShardLostError
from tests.kit.events import START_S, event

POLICY = Policy.of(Budget())


def take(store: Store, partition: int, source: str = "t") -> Owned:
    owned, _ = Owned.take(store, source, partition, POLICY, "test")
    return owned


def save(store: Store, mine: Claim, offset: int, *profiles: Profile) -> None:
    with store.state() as state:
        shards.save(state, mine, Place(offset, {}), [*map(pack, profiles)], START_S)


def teach(owned: Owned, agent_id: str, events: int, at_s: float = START_S) -> Profile:
    for number in range(events):
        what = event(number, at_s + number, agent_id=agent_id)
        owned.shard.feed(what, str(number).encode(), number)
    return owned.shard.profiles[agent_id]


def test_it_goes_on_from_a_copy_and_a_crash_meets_the_same_again(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    old, older = take(store, 0), take(store, 2)
    save(store, older.claim, 3, teach(older, "a", 3))
    taught = teach(old, "a", 20, START_S + 60)
    before = packb(taught.dump())
    save(store, old.claim, 20, taught)

    new = take(store, 7)
    new.admit(store, {"a", "b"})
    assert new.shard.profiles.keys() == {"a"}
    assert packb(new.shard.profiles["a"].dump()) == before, "of two the newest"
    assert "1 agents turned up in t/7 that were in another partition before, such as 'a'" in (
        caplog.text
    )
    save(store, old.claim, 25, teach(old, "a", 25, START_S + 600))
    again = take(store, 7)  # it crashed before its first checkpoint
    again.admit(store, {"a", "b"})
    assert packb(again.shard.profiles["a"].dump()) == before
    assert caplog.text.count("turned up") == 1
    elsewhere = take(store, 7, source="another topic")
    elsewhere.admit(store, {"a"})
    assert not elsewhere.shard.profiles


def test_one_who_lost_the_shard_copies_nothing(store: Store) -> None:
    old = take(store, 0)
    save(store, old.claim, 5, teach(old, "a", 5))
    zombie = take(store, 1)
    later = take(store, 1)
    with pytest.raises(ShardLostError):
        zombie.admit(store, {"a"})
    with store.read_state() as state:
        found, _ = shards.load_profiles(state, later.claim, {"a"}, Rules())
    assert found == []
