"""What the stream shows of an agent that was cut off, as the ledger keeps it."""

import pytest
from sqlalchemy import select

from alerting.killswitch import AgentState
from monitor.ledger import trips
from monitor.store import Store
from monitor.store.schema import outbox
from tests.kit.trips import NOW, RECEIVERS, get, kill, kinds, restore, watch


def test_watching_counts_once_and_tells_news(store: Store) -> None:
    trip = kill(store, points=())

    def record(watched_to: int, effective: list[float], refused: int) -> bool:
        with store.ledger() as ledger:
            return trips.record_watch(
                ledger,
                trip.trip_id,
                effective=effective,
                refused=refused,
                watched_to=watched_to,
                receivers=RECEIVERS,
                now_s=NOW + 50,
            )

    def silence() -> bool:
        with store.ledger() as ledger:
            return trips.mark_silent(ledger, trip.trip_id, receivers=RECEIVERS, now_s=NOW + 60)

    assert record(10, [NOW + 5, NOW + 7], 3)
    assert not record(10, [NOW + 5, NOW + 7], 3)  # read again after a crash
    assert silence()
    assert not silence()
    quiet = get(store, trip.trip_id)
    assert (quiet.effective_count, quiet.refused_count) == (2, 3)
    assert (quiet.first_effective_at, quiet.last_effective_at) == (NOW + 5, NOW + 7)
    assert quiet.state is AgentState.SILENT
    assert quiet.time_to_silence_s == 7.0
    assert record(12, [NOW + 70], 0)
    assert get(store, trip.trip_id).state is AgentState.CONTAINED
    assert get(store, trip.trip_id).time_to_silence_s is None
    assert silence()
    with store.read() as ledger:
        (watched,) = trips.watched(ledger)
    assert watched.held_at == NOW
    assert watched.seen == {"": (12, True)}
    assert kinds(store)[2:] == ["trip_effective", "trip_silent", "trip_effective", "trip_silent"]


def test_an_agent_that_still_acts_is_told_once_a_minute_while_it_goes_on(store: Store) -> None:
    trip = kill(store, points=())
    for number, second in enumerate(range(5, 130, 5), start=1):
        watch(store, trip, number, NOW + second, effective=[NOW + second])
    assert kinds(store)[2:] == ["trip_effective"] * 3
    with store.read() as ledger:
        docs = ledger.execute(select(outbox.c.doc).order_by(outbox.c.seq)).scalars().all()
    assert "1 action succeeded" in docs[2]
    assert "13 actions succeeded" in docs[3]
    assert "25 actions succeeded" in docs[4]


def test_actions_between_order_and_containment_are_counted_apart(store: Store) -> None:
    trip = kill(store)
    watch(store, trip, 4, NOW + 3, early=[NOW + 1, NOW + 2], refused=1)
    assert not watch(store, trip, 4, NOW + 3, early=[NOW + 1, NOW + 2])
    seen = get(store, trip.trip_id)
    assert (seen.early_count, seen.last_early_at, seen.effective_count) == (2, NOW + 2, 0)
    assert seen.order_to_last_effective_s == 2.0
    assert kinds(store) == ["trip_ordered"], "nobody is woken for what containment is to end"


@pytest.mark.parametrize("killed_again", [False, True])
def test_of_a_trip_that_a_person_ended_nothing_more_is_counted(
    store: Store, killed_again: bool
) -> None:
    """Whoever watches it may see an action that succeeds before the restore."""
    trip = kill(store, points=())
    assert watch(store, trip, 4, NOW + 3, refused=1)
    restore(store, NOW + 5)
    if killed_again:
        kill(store, NOW + 6, points=())
    told = kinds(store)
    assert not watch(store, trip, 5, NOW + 7, effective=[NOW + 7], refused=1)
    seen = get(store, trip.trip_id)
    assert (seen.effective_count, seen.refused_count, seen.effective_told_at) == (0, 1, None)
    assert kinds(store) == told
    with store.ledger() as ledger:
        assert not trips.mark_silent(ledger, trip.trip_id, receivers=RECEIVERS, now_s=NOW + 60)


def test_a_partial_trip_is_proven_too_and_stays_partial(store: Store) -> None:
    trip = kill(store)
    with store.ledger() as ledger:
        trips.give_up(
            ledger, trip.trip_id, "kafka", reason="gone", by="os:a", receivers=RECEIVERS,
            now_s=NOW + 4,
        )  # fmt: skip
        (followed,) = trips.watched(ledger)
    assert (followed.held_at, followed.seen) == (NOW + 4, {})
    assert watch(store, trip, 1, NOW + 9, effective=[NOW + 8])

    def silence(at_s: float) -> bool:
        with store.ledger() as ledger:
            return trips.mark_silent(ledger, trip.trip_id, receivers=RECEIVERS, now_s=at_s)

    assert silence(NOW + 50)
    assert not silence(NOW + 51)
    quiet = get(store, trip.trip_id)
    assert (quiet.state, quiet.partial_at, quiet.contained_at) == ("partial", NOW + 4, None)
    assert (quiet.silent_at, quiet.time_to_silence_s) == (NOW + 50, 8.0)
    assert quiet.order_to_containment_s is None
    assert watch(store, trip, 2, NOW + 55, effective=[NOW + 55])
    awake = get(store, trip.trip_id)
    assert (awake.state, awake.silent_at) == ("partial", None)
    told = ["trip_ordered", "trip_partial", "trip_effective", "trip_silent", "trip_effective"]
    assert kinds(store) == told


def test_of_several_partitions_each_must_show_silence(store: Store) -> None:
    trip = kill(store, points=())
    places = ["acts/1", "calls/0"]

    def silence(place: str) -> bool:
        with store.ledger() as ledger:
            return trips.mark_silent(
                ledger, trip.trip_id, place=place, places=places, receivers=RECEIVERS, now_s=NOW + 9
            )

    assert not silence("acts/1")
    assert watch(store, trip, 7, NOW + 5, place="calls/0", effective=[NOW + 5])
    assert watch(store, trip, 3, NOW + 5, place="acts/1", refused=1), "offsets are each one's own"
    assert silence("calls/0")
    assert get(store, trip.trip_id).state is AgentState.SILENT
    assert watch(store, trip, 8, NOW + 20, place="calls/0", effective=[NOW + 20])
    assert get(store, trip.trip_id).state is AgentState.CONTAINED
    assert not silence("acts/1"), "the other one is not quiet yet"
    assert silence("calls/0")
    with store.read() as ledger:
        (watched,) = trips.watched(ledger)
    assert watched.seen == {"acts/1": (3, True), "calls/0": (8, True)}
