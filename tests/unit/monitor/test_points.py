"""Who drives the enforcement points of a trip, and what came of it."""

import pytest
from sqlalchemy import update

from alerting.killswitch import AgentState, PointState
from monitor.errors import ExitCode, NotFoundError, UsageError
from monitor.ledger import trips
from monitor.store import Store
from monitor.store.schema import agents
from tests.kit.trips import LEASE_S, NOW, RECEIVERS, get, kill, kinds, lease, point, restore, settle


def test_a_point_that_fails_is_tried_later_and_later(store: Store) -> None:
    trip, now_s, waits = kill(store), NOW, []
    for _ in range(9):
        (leased,) = lease(store, now_s)
        assert settle(store, leased, now_s, "broker away")
        waits.append(point(get(store, trip.trip_id)).due_at - now_s)
        now_s += waits[-1]
    for n, wait in enumerate(waits):
        ceiling_s = min(60.0, 2.0**n)
        assert ceiling_s / 2 - 0.001 <= wait <= ceiling_s + 0.001
    failed = point(get(store, trip.trip_id))
    assert (failed.state, failed.attempts, failed.last_error) == ("failed", 9, "broker away")
    (leased,) = lease(store, now_s)
    assert settle(store, leased, now_s)
    after = get(store, trip.trip_id)
    assert after.state is AgentState.CONTAINED
    assert after.contained_at == now_s
    assert kinds(store) == ["trip_ordered", "trip_partial", "trip_contained"]


def test_a_lease_keeps_others_off_until_it_runs_out(store: Store) -> None:
    kill(store)
    (first,) = lease(store, NOW)
    assert lease(store, NOW + LEASE_S - 0.1) == []
    (second,) = lease(store, NOW + LEASE_S)
    assert not settle(store, first, NOW + LEASE_S, "too late to count")
    assert settle(store, second, NOW + LEASE_S)


def test_a_restore_waits_for_the_revocation_under_way(store: Store) -> None:
    trip = kill(store)
    (leased,) = lease(store, NOW)
    assert restore(store, NOW + 1).state is AgentState.RESTORING
    assert lease(store, NOW + 2) == []
    assert not settle(store, leased, NOW + 3)  # its report ends the waiting and counts for nothing
    (turned,) = lease(store, NOW + 3)
    assert turned.order.direction == "restore"
    assert settle(store, turned, NOW + 3)
    after = get(store, trip.trip_id)
    assert after.state is AgentState.PROBATION
    assert after.contained_at is None
    assert after.restored_at == NOW + 3


def test_a_restore_waits_for_a_holder_that_died_no_longer_than_its_lease(store: Store) -> None:
    kill(store)
    lease(store, NOW)
    restore(store, NOW + 1)
    assert lease(store, NOW + LEASE_S - 0.1) == []
    assert lease(store, NOW + LEASE_S)[0].order.direction == "restore"


def test_a_kill_supersedes_a_restore_and_waits_for_it(store: Store) -> None:
    first = kill(store)
    restore(store)
    (leased,) = lease(store, NOW)
    assert leased.order.direction == "restore"
    second = kill(store, NOW + 1)
    assert second.is_new
    assert point(get(store, first.trip_id)).state is PointState.SUPERSEDED
    assert get(store, first.trip_id).state is None
    assert lease(store, NOW + 1) == []
    settle(store, leased, NOW + 2)
    (revocation,) = lease(store, NOW + 2)
    told = revocation.order
    assert told.trip_id == second.trip_id
    assert told.order_seq == second.order_seq > leased.order.order_seq


def test_a_store_that_was_put_back_is_still_obeyed(store: Store) -> None:
    """What was ordered since the backup is forgotten, and points were told of it."""
    told = kill(store).order_seq
    with store.ledger() as ledger:
        ledger.execute(update(agents).values(order_seq=0, state="active", trip_id=None))
    assert kill(store, NOW + 1).order_seq > told


def test_a_kill_takes_over_points_that_it_does_not_know(store: Store) -> None:
    kill(store)
    settle(store, lease(store, NOW)[0], NOW)
    restore(store, NOW + 1)
    second = kill(store, NOW + 2, points=())  # as by a command with other settings
    assert [p.point for p in second.points] == ["kafka", "registry"]
    settle(store, lease(store, NOW + 2)[0], NOW + 2)
    restore(store, NOW + 3)
    (turned,) = lease(store, NOW + 3)
    assert turned.order.direction == "restore", "what the first trip revoked is given back"


def test_a_kill_waits_for_an_order_under_way_of_any_earlier_trip(store: Store) -> None:
    first = kill(store)
    (under_way,) = lease(store, NOW)
    with store.ledger() as ledger:
        trips.give_up(
            ledger, first.trip_id, "kafka", reason="gone", by="os:a", receivers=RECEIVERS, now_s=NOW
        )
    restore(store, NOW + 1)
    with store.ledger() as ledger:
        trips.give_up(
            ledger, first.trip_id, "kafka", reason="gone", by="os:a", receivers=RECEIVERS, now_s=NOW
        )
    kill(store, NOW + 2, points=())
    restore(store, NOW + 3)
    kill(store, NOW + 4)
    assert lease(store, NOW + 4) == []
    settle(store, under_way, NOW + 5)
    assert len(lease(store, NOW + 5)) == 1


def test_a_late_answer_makes_the_present_order_go_out_again(store: Store) -> None:
    trip = kill(store)
    (overslept,) = lease(store, NOW)
    restore(store, NOW + 1)
    (turned,) = lease(store, NOW + LEASE_S)
    settle(store, turned, NOW + LEASE_S)
    assert not settle(store, overslept, NOW + 99)
    assert point(get(store, trip.trip_id)).state is PointState.PENDING
    (again,) = lease(store, NOW + 99)
    assert again.order.direction == "restore"
    assert settle(store, again, NOW + 99)
    assert get(store, trip.trip_id).state is AgentState.PROBATION


def test_giving_up_is_partial_and_names_its_limits(store: Store) -> None:
    trip = kill(store)

    def give_up(trip_id: str, name: str, by: str = "os:alice") -> trips.Trip:
        with store.ledger() as ledger:
            return trips.give_up(
                ledger, trip_id, name, reason="gone", by=by, receivers=RECEIVERS, now_s=NOW
            )

    with pytest.raises(UsageError, match="person"):
        give_up(trip.trip_id, "kafka", by="rule:x")
    with pytest.raises(NotFoundError, match="no point 'fax'; it has kafka, registry"):
        give_up(trip.trip_id, "fax")
    with pytest.raises(UsageError, match="is confirmed: nothing to give up"):
        give_up(trip.trip_id, "registry")
    after = give_up(trip.trip_id, "kafka")
    assert after.state is AgentState.PARTIAL
    assert after.verdict() is ExitCode.FAILED
    assert lease(store, NOW + 1) == []
    assert restore(store).state is AgentState.RESTORING
