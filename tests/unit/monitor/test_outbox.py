import contextlib
import threading

import pytest
from pydantic import ValidationError
from sqlalchemy import select, update

from monitor.ledger import outbox
from monitor.ledger.outbox import Delivery
from monitor.store import Store, schema
from tests.kit.messages import HOSTILE, alert, anomaly, message

NOW = 1_770_000_000.0
LEASE_S = 15.0
table = schema.outbox


def put(
    store: Store,
    identity: str,
    agent_id: str = "a",
    receivers: tuple[str, ...] = ("slack",),
    at_s: float = NOW,
) -> int:
    with store.ledger() as connection:
        told = message(agent_id=agent_id, headline=identity)
        return outbox.enqueue(connection, told, receivers, at_s, identity=identity)


def take(
    store: Store, at_s: float = NOW, limit: int = 10, receivers: tuple[str, ...] = ("slack",)
) -> list[Delivery]:
    with store.ledger() as connection:
        return outbox.take_due(connection, receivers, at_s, LEASE_S, limit)


def said(deliveries: list[Delivery]) -> list[str]:
    return [delivery.message().headline for delivery in deliveries]


def states(store: Store) -> dict[str, int]:
    with store.read() as connection:
        found = connection.execute(select(table.c.state)).scalars().all()
    return {state: found.count(state) for state in set(found)}


def test_to_say_it_again_adds_nothing(store: Store) -> None:
    assert put(store, "opened/1", receivers=("slack", "terminal")) == 2
    assert put(store, "opened/1", receivers=("slack", "terminal")) == 0
    assert put(store, "opened/1", receivers=("slack", "other")) == 1
    assert put(store, "opened/2") == 1


def test_what_was_sent_is_not_put_in_again_by_a_replay(store: Store) -> None:
    put(store, "opened/1")
    (delivery,) = take(store)
    with store.ledger() as connection:
        outbox.mark_sent(connection, delivery, NOW)
    assert put(store, "opened/1") == 0
    assert take(store, NOW + 3600) == []


def test_nothing_is_said_of_a_transaction_that_rolled_back(store: Store) -> None:
    with contextlib.suppress(ZeroDivisionError), store.ledger() as connection:
        outbox.enqueue(connection, message(), ["slack"], NOW, identity="x")
        raise ZeroDivisionError
    assert take(store) == []


def test_one_stream_goes_in_order_and_others_do_not_wait(store: Store) -> None:
    for identity, agent_id in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("b2", "b"), ("c1", "c")):
        put(store, identity, agent_id)
    first = take(store)
    assert said(first) == ["a1", "b1", "c1"]
    assert take(store) == [], "what is leased holds back what is behind it"
    with store.ledger() as connection:
        outbox.mark_sent(connection, first[0], NOW)
        outbox.mark_retry(connection, first[1], NOW + 60, "busy")
        outbox.mark_dead(connection, first[2], NOW, "no such channel")
    assert said(take(store, NOW + 1)) == ["a2"]
    assert said(take(store, NOW + 60)) == ["a2", "b1"], "a2's lease ran out meanwhile"
    assert states(store) == {"sent": 1, "pending": 3, "dead": 1}


def test_a_dead_delivery_lets_the_next_pass(store: Store) -> None:
    put(store, "a1")
    put(store, "a2")
    (delivery,) = take(store)
    with store.ledger() as connection:
        outbox.mark_dead(connection, delivery, NOW, "refused")
    assert said(take(store)) == ["a2"]


def test_receivers_do_not_wait_for_each_other(store: Store) -> None:
    put(store, "a1", receivers=("slack", "terminal"))
    put(store, "a2", receivers=("slack", "terminal"))
    assert [d.receiver for d in take(store)] == ["slack"]
    assert said(take(store, receivers=("terminal",))) == ["a1"]
    assert take(store, receivers=("unheard-of",)) == []


def test_the_oldest_go_first_within_the_limit(store: Store) -> None:
    for number in range(5):
        put(store, f"m{number}", agent_id=str(number))
    assert said(take(store, limit=2)) == ["m0", "m1"]
    assert said(take(store, limit=2)) == ["m2", "m3"]


def test_nothing_is_taken_before_it_is_due(store: Store) -> None:
    put(store, "a1", at_s=NOW + 10)
    assert take(store, NOW + 9) == []
    assert said(take(store, NOW + 10)) == ["a1"]


def test_a_lease_that_ran_out_gives_the_same_key_again(store: Store) -> None:
    put(store, "a1")
    (first,) = take(store)
    assert take(store, NOW + LEASE_S - 1) == []
    (second,) = take(store, NOW + LEASE_S)
    assert second.delivery_id == first.delivery_id
    assert (first.attempts, second.attempts) == (1, 2)


def test_who_comes_back_late_undoes_nothing(store: Store) -> None:
    put(store, "a1")
    (late,) = take(store)
    (prompt,) = take(store, NOW + LEASE_S)
    with store.ledger() as connection:
        outbox.mark_retry(connection, late, NOW, "timed out")
        outbox.mark_dead(connection, late, NOW, "timed out")
    assert take(store, NOW + LEASE_S) == [], "the lease of the second taker holds"
    with store.ledger() as connection:
        outbox.mark_sent(connection, prompt, NOW)
        outbox.mark_retry(connection, prompt, NOW, "late")
    assert states(store) == {"sent": 1}


def test_sent_is_sent_even_if_another_has_the_lease(store: Store) -> None:
    put(store, "a1")
    (late,) = take(store)
    take(store, NOW + LEASE_S)
    with store.ledger() as connection:
        outbox.mark_sent(connection, late, NOW + LEASE_S)
    assert states(store) == {"sent": 1}


def test_the_reason_of_a_failure_is_kept(store: Store) -> None:
    put(store, "a1")
    (delivery,) = take(store)
    with store.ledger() as connection:
        outbox.mark_dead(connection, delivery, NOW, "no\x00 such \ud800 channel")
    with store.read() as connection:
        row = connection.execute(select(table)).one()
    assert row.last_error.startswith("no")
    assert row.settled_at == NOW


def test_prune_forgets_what_is_settled_and_never_what_is_pending(store: Store) -> None:
    for identity, agent_id in (("a", "a"), ("b", "b"), ("c", "c")):
        put(store, identity, agent_id)
    sent, dead, _ = take(store)
    with store.ledger() as connection:
        outbox.mark_sent(connection, sent, NOW)
        outbox.mark_dead(connection, dead, NOW + 10, "x")
        assert outbox.prune(connection, NOW + 5) == 1
    assert states(store) == {"dead": 1, "pending": 1}
    assert put(store, "d", "d") == 1
    assert said(take(store, NOW + LEASE_S)) == ["c", "d"], "the order holds after pruning"


@pytest.mark.parametrize(
    "text", [text for text in HOSTILE if "\ud800" not in text], ids=lambda text: text[:8].encode()
)
def test_hostile_text_comes_out_as_it_went_in(store: Store, text: str) -> None:
    told = message(
        agent_id=text.replace("\x00", "")[:1024] or "-",
        headline=text,
        alert=alert(anomaly(text=text, target=text)),
    )
    with store.ledger() as connection:
        assert outbox.enqueue(connection, told, ["slack"], NOW, identity=text) == 1
    (delivery,) = take(store)
    assert delivery.message() == told


def test_an_id_longer_than_an_index_takes(store: Store) -> None:
    agent_id = "".join(chr(0x4E00 + number) for number in range(1024))
    assert put(store, "a1", agent_id) == 1
    assert said(take(store)) == ["a1"]


def test_a_document_of_another_version_is_told_apart(store: Store) -> None:
    put(store, "a1")
    with store.ledger() as connection:
        connection.execute(update(table).values(doc='{"kind": "sung"}'))
    (delivery,) = take(store)
    with pytest.raises(ValidationError):
        delivery.message()


def test_no_two_takers_get_the_same_delivery(store: Store) -> None:
    for number in range(24):
        put(store, f"m{number:02}", agent_id=str(number % 12))
    got: list[str] = []
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        while True:
            with store.ledger() as connection:
                mine = outbox.take_due(connection, ("slack",), NOW, LEASE_S, 2)
            if not mine:
                return
            got.extend(said(mine))
            with store.ledger() as connection:
                for delivery in mine:
                    outbox.mark_sent(connection, delivery, NOW)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    rest = said(take(store)) + said(take(store))
    assert sorted(got + rest) == [f"m{number:02}" for number in range(24)]
