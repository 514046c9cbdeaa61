"""Claims of shards by several processes."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from monitor.sources import Place
from monitor.store import Store, shards
from monitor.store.shards import Claim, ShardLostError
from tests.kit.events import START_S

OTHERS_COME_S = 0.3


def test_of_two_that_claim_a_new_shard_at_once_one_gets_it(store: Store) -> None:
    def claim_it(owner: str) -> Claim:
        with store.ledger() as ledger:
            return shards.claim(ledger, "topic", 3, owner=owner, now_s=START_S)

    def adopt_it(mine: Claim) -> Place | None:
        with store.state() as state:
            return shards.adopt(state, mine, START_S)

    with ThreadPoolExecutor(1) as other:
        with store.ledger() as ledger:
            first = shards.claim(ledger, "topic", 3, owner="one", now_s=START_S)
            waiting = other.submit(claim_it, "two")
            time.sleep(OTHERS_COME_S)
        second = waiting.result()
        assert (first.epoch, second.epoch) == (1, 2)
        with store.state() as state:
            assert shards.adopt(state, second, START_S) is None
            late = other.submit(adopt_it, first)
            time.sleep(OTHERS_COME_S)
            shards.save(state, second, Place(10, {}), [], START_S)
        with pytest.raises(ShardLostError):
            late.result()
    assert adopt_it(claim_it("three")) == Place(10, {}), "whoever was late has changed nothing"
