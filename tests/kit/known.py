"""Agents that a store knows, as a daemon's checkpoint would leave them."""

from typing import Any

from baselines.effect import EffectMap
from baselines.packed import pack
from baselines.profile import Profile, Rules
from monitor.sources import Place
from monitor.store import Store, shards
from tests.kit.events import START_S, event


def profile(agent_id: str, *, at: float = 0.0, runs: int = 0, **fields: Any) -> Profile:
    one = Profile(agent_id, Rules())
    for number in range(2):
        seen = event(number, START_S + at + number, agent_id=agent_id, **fields)
        one.learn(one.observe(seen, EffectMap()))
    for number in range(runs):
        one.tails["run"].take(1.0, 0.01, START_S + number)
    return one


def checkpoint(store: Store, *profiles: Profile, partition: int = 3, source: str = "topic") -> None:
    with store.ledger() as ledger:
        mine = shards.claim(ledger, source, partition, owner="me", now_s=START_S)
    with store.state() as state:
        shards.adopt(state, mine, START_S)
        shards.save(state, mine, Place(10, {}), [*map(pack, profiles)], START_S)
