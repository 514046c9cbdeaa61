"""Packed or awake, a profile is the same; who acts is awake, and few others are."""

import ormsgpack
import pytest
from hypothesis import given, settings

from baselines.packed import pack, unpack
from detectors.budget import Budget
from detectors.policy import Policy
from detectors.residents import MIN_AWAKE, RESTS_AFTER_S, Residents
from detectors.shard import Shard
from tests.kit.events import START_S, event, raw_event
from tests.unit.detectors.test_shard import POLICY, Step, play, steps


def feed(shard: Shard, agent_id: str, number: int, at_s: float) -> None:
    raw = raw_event(number, at_s, agent_id=agent_id)
    shard.feed(event(number, at_s, agent_id=agent_id), raw, number)


def dumps(shard: Shard) -> dict[str, bytes]:
    return {agent_id: ormsgpack.packb(p.dump()) for agent_id, p in shard.profiles.items()}


@settings(max_examples=40, deadline=None)
@given(steps)
def test_packing_changes_nothing_that_is_found_or_learned(some: list[Step]) -> None:
    whole, tight = Shard("log", 0, POLICY), Shard("log", 0, POLICY)
    tight.profiles.max_awake = 1
    assert play(tight, some) == play(whole, some)
    assert tight.profiles.awake <= 1
    assert dumps(tight) == dumps(whole)


@settings(max_examples=20, deadline=None)
@given(steps)
def test_what_is_unpacked_is_what_was_packed(some: list[Step]) -> None:
    shard = Shard("log", 0, POLICY)
    play(shard, some)
    for profile in shard.profiles.values():
        again = unpack(pack(profile).body, POLICY.rules)
        assert again.dump() == profile.dump()


def test_agents_that_rest_are_packed_while_others_act_but_for_a_few() -> None:
    shard, agents = Shard("log", 0, POLICY), 2 * MIN_AWAKE
    for number in range(agents):
        feed(shard, f"agent-{number}", number, START_S + number)
    assert shard.profiles.awake == agents
    for number in range(agents, 2 * agents):
        feed(shard, "busy", number, START_S + RESTS_AFTER_S + 60.0 * number)
    assert (shard.profiles.awake, len(shard.profiles)) == (MIN_AWAKE, agents + 1)
    feed(shard, "agent-3", 2 * agents, START_S + RESTS_AFTER_S + 120.0 * agents)
    assert shard.profiles["agent-3"].events == 2


def test_one_whose_clock_is_behind_is_not_packed_after_each_event() -> None:
    shard = Shard("log", 0, POLICY)
    feed(shard, "ahead", 0, START_S + 86_400.0)
    for number in range(1, 2 * MIN_AWAKE):
        feed(shard, f"behind-{number}", number, START_S + number)
    feed(shard, "ahead", 999, START_S + 86_460.0)
    assert shard.profiles.awake == 2 * MIN_AWAKE


def test_those_that_were_needed_least_recently_are_packed_and_leave_first() -> None:
    shard = Shard("log", 0, POLICY)
    shard.profiles.max_awake = 2
    for number, agent in enumerate("abcdeb"):
        feed(shard, agent, number, START_S + number)
    assert list(shard.profiles) == ["a", "c", "d", "e", "b"]
    shard.dirty = {"a"}
    shard.forget_beyond(2)
    assert list(shard.profiles) == ["a", "b"]


def test_a_look_wakes_nobody() -> None:
    shard = Shard("log", 0, POLICY)
    shard.profiles.max_awake = 1
    for number, agent in enumerate("ab"):
        feed(shard, agent, number, START_S + number)
    assert shard.profiles.peek("a").events == 1
    assert "a" in shard.profiles
    assert shard.profiles.awake == 1
    with pytest.raises(KeyError):
        shard.profiles.peek("c")


def test_by_other_rules_only_what_is_not_saved_stays() -> None:
    shard = Shard("log", 0, POLICY)
    shard.profiles.max_awake = 1
    for number, agent in enumerate("abc"):
        feed(shard, agent, number, START_S + number)
    shard.dirty = {"a"}
    other = Policy.of(Budget(50.0))
    shard.follow(other)
    assert list(shard.profiles) == ["a"]
    assert shard.profiles["a"].rules is other.rules


def test_one_that_cannot_be_packed_fails_nobody() -> None:
    shard = Shard("log", 0, POLICY)
    shard.profiles.max_awake = 1
    feed(shard, "odd", 0, START_S)
    shard.profiles["odd"].role = "\ud800"  # no text that can be written
    for number in range(1, 5):
        feed(shard, f"agent-{number}", number, START_S + number)
    assert shard.profiles["odd"].events == 1
    assert len(shard.profiles) == 5


def test_it_is_a_mapping() -> None:
    residents = Residents(POLICY.rules, max_awake=1)
    shard = Shard("log", 0, POLICY)
    for number, agent in enumerate("ab"):
        feed(shard, agent, number, START_S + number)
        residents[agent] = shard.profiles[agent]
    residents.settle(START_S, lambda agent_id: agent_id == "a")
    assert residents.awake == 1
    del residents["a"], residents["b"]
    assert residents == {}
    with pytest.raises(KeyError):
        del residents["a"]
    with pytest.raises(KeyError):
        residents["a"]
