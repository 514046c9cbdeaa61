"""What agents that are cut off try in vain, as the ledger counts it."""

from alerting.killswitch import AgentState
from monitor.ledger import trips
from monitor.ledger.tries import Tries, count_tries
from monitor.store import Store
from tests.kit.trips import NOW, RECEIVERS, get, kill


def test_tries_of_many_trips_are_counted_at_once_and_once(store: Store) -> None:
    one, other = (kill(store, agent_id=agent, points=()) for agent in ("one", "other"))

    def count(*tries: Tries) -> None:
        with store.ledger() as ledger:
            count_tries(ledger, tries)

    first = Tries(one.trip_id, "t/0", [NOW + 2, NOW + 1], 3, watched_to=10)
    count(first, Tries(other.trip_id, "", [], 5, watched_to=7))
    count(first)  # read again after a crash
    count(
        Tries(one.trip_id, "t/0", [NOW], 1, watched_to=11),
        Tries(one.trip_id, "t/1", [], 1, watched_to=2),
        Tries(other.trip_id, "", [], 1, watched_to=6),
    )
    told = [
        (found.early_count, found.last_early_at, found.refused_count)
        for found in (get(store, one.trip_id), get(store, other.trip_id))
    ]
    assert told == [(3, NOW + 2, 5), (0, None, 5)]
    with store.read() as ledger:
        seen = {watched.agent_id: watched.seen for watched in trips.watched(ledger)}
    assert seen == {"one": {"t/0": (11, False), "t/1": (2, False)}, "other": {"": (7, False)}}


def test_what_was_tried_after_a_restore_is_nothing_against_the_agent(store: Store) -> None:
    trip = kill(store, points=())
    with store.ledger() as ledger:
        trips.order_restore(
            ledger, agent_id=trip.agent_id, reason="r", ordered_by="os:bob", now_s=NOW + 1,
            probation_s=60.0, receivers=(),
        )  # fmt: skip
        count_tries(ledger, [Tries(trip.trip_id, "", [NOW + 2], 2, watched_to=9)])
    found = get(store, trip.trip_id)
    assert (found.early_count, found.last_early_at, found.refused_count) == (0, None, 0)


def test_counting_tries_does_not_end_silence(store: Store) -> None:
    trip = kill(store, points=())
    with store.ledger() as ledger:
        trips.mark_silent(ledger, trip.trip_id, receivers=RECEIVERS, now_s=NOW + 60)
        count_tries(ledger, [Tries(trip.trip_id, "", [], 2, watched_to=9)])
        (watched,) = trips.watched(ledger)
    assert watched.seen == {"": (9, True)}
    assert get(store, trip.trip_id).state is AgentState.SILENT
