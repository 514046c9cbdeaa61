"""The ledger side of the kill switch, against a real store."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from alerting.killswitch import AgentState, PointState
from monitor.errors import ExitCode, NotFoundError, UsageError
from monitor.ledger import audit, trips
from monitor.store import Store
from tests.kit.trips import NOW, PROBATION_S, get, kill, lease, point, restore, settle


def test_an_order_is_durable_before_any_point_is_driven(store: Store) -> None:
    trip = kill(store)
    assert trip.is_new
    assert trip.state is AgentState.TRIPPING
    assert point(trip, "registry").state is PointState.CONFIRMED
    assert point(trip).state is PointState.PENDING
    assert trip.verdict() is ExitCode.PARTLY
    assert get(store, trip.trip_id).points == trip.points


def test_with_the_registry_alone_an_agent_is_contained_at_once(store: Store) -> None:
    trip = kill(store, points=())
    assert trip.state is AgentState.CONTAINED
    assert trip.contained_at == NOW
    assert trip.verdict() is ExitCode.DONE


def test_a_second_kill_finds_the_first_and_tries_at_once(store: Store) -> None:
    first = kill(store)
    (leased,) = lease(store, NOW)
    settle(store, leased, NOW, "broker away")
    assert lease(store, NOW) == []
    second = kill(store, NOW + 0.1)
    assert (second.trip_id, second.is_new) == (first.trip_id, False)
    assert len(lease(store, NOW + 0.1)) == 1


def test_the_same_evidence_trips_once(store: Store) -> None:
    evidence: dict[str, Any] = {
        "automatic": True,
        "ordered_by": "rule:x",
        "anomaly_id": "n",
        "points": (),
    }
    first = kill(store, **evidence)
    restore(store)
    assert kill(store, **evidence).trip_id == first.trip_id
    assert get(store, first.trip_id).state is AgentState.PROBATION


def test_orders_at_the_same_time_are_one_after_the_other(store: Store) -> None:
    agents_killed = ["a", "b", "a", "c"] * 4
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda agent_id: kill(store, agent_id=agent_id), agents_killed))
    assert sorted(trip.agent_id for trip in found if trip.is_new) == ["a", "b", "c"]
    with ThreadPoolExecutor(4) as pool:
        leased = [
            each for found in pool.map(lambda _: lease(store, NOW), range(12)) for each in found
        ]
    assert sorted(each.order.agent_id for each in leased) == ["a", "b", "c"]
    with store.read() as ledger:
        assert audit.verify(ledger) is None


@pytest.mark.parametrize("by", ["rule:critical", "tripswitch", "alice"])
def test_no_restore_without_a_person(store: Store, by: str) -> None:
    trip = kill(store)
    with pytest.raises(UsageError, match="person"):
        restore(store, by=by)
    assert get(store, trip.trip_id).state is AgentState.TRIPPING


def test_an_agent_that_was_never_cut_off_cannot_be_restored(store: Store) -> None:
    with pytest.raises(NotFoundError, match="never cut off"):
        restore(store)


def test_probation_ends_after_its_time(store: Store) -> None:
    trip = kill(store, points=())
    restore(store)
    with store.ledger() as ledger:
        assert trips.end_probation(ledger, NOW + PROBATION_S - 0.1) == 0
        assert trips.end_probation(ledger, NOW + PROBATION_S) == 1
    assert get(store, trip.trip_id).state is AgentState.ACTIVE


def test_automatic_trips_are_counted_for_the_cap(store: Store) -> None:
    kill(store, agent_id="a")
    kill(store, agent_id="b", automatic=True, ordered_by="rule:x")
    with store.read() as ledger:
        assert trips.automatic_since(ledger, NOW) == 1
        assert trips.automatic_since(ledger, NOW + 1) == 0


def test_hostile_texts_are_kept_as_far_as_a_database_can(store: Store) -> None:
    text = "\x00'; DROP TABLE trips; -- \ud800" + "x" * 1_000_000
    trip = kill(store, reason=text)
    assert len(trip.reason) == 2000
    (leased,) = lease(store, NOW)
    assert settle(store, leased, NOW, text)
    with store.read() as ledger:
        assert audit.verify(ledger) is None
