from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from alerting.health import Condition
from alerting.message import Message
from alerting.routes import Route, Routing
from monitor.ledger import conditions
from monitor.store import Store
from monitor.store.schema import outbox

NOW = 1_770_000_000.0
LAG = Condition("lag", "topic", "far behind", NOW)


def begin(store: Store, one: Condition = LAG, process: str = "p1", at_s: float = NOW) -> None:
    with store.ledger() as ledger:
        conditions.begin(ledger, one, process, ["slack", "terminal"], at_s)


def end(store: Store, one: Condition = LAG, process: str = "p1", at_s: float = NOW) -> None:
    with store.ledger() as ledger:
        conditions.end(ledger, one, process, ["slack", "terminal"], at_s)


def told(store: Store, receiver: str = "slack") -> list[Message]:
    with store.read() as ledger:
        query = select(outbox.c.doc).where(outbox.c.receiver == receiver).order_by(outbox.c.seq)
        return [Message.model_validate_json(doc) for doc in ledger.execute(query).scalars()]


def kinds(store: Store, receiver: str = "slack") -> list[str]:
    return [message.kind for message in told(store, receiver)]


def test_it_is_told_once_at_its_begin_and_once_at_its_end(store: Store) -> None:
    for _ in range(2):
        begin(store)
    assert kinds(store) == ["health"]
    for _ in range(2):
        end(store, at_s=NOW + 90)
    first, last = told(store)
    assert first.headline == "far behind"
    assert dict(first.details)["what to do"]
    assert (last.kind, last.headline) == ("health_over", "it is over: far behind")
    assert dict(last.details)["lasted"] == "90 s"
    begin(store)
    assert kinds(store) == ["health", "health_over", "health"]


def test_what_all_processes_see_is_told_by_one(store: Store) -> None:
    shared = Condition("point", "kafka", "3 orders wait", NOW)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: begin(store, shared, ""), range(8)))
        list(pool.map(lambda _: end(store, shared, ""), range(8)))
    assert kinds(store) == ["health", "health_over"]


def test_each_process_has_conditions_of_its_own(store: Store) -> None:
    begin(store, process="p1")
    begin(store, process="p2")
    end(store, process="p1")
    assert kinds(store) == ["health", "health", "health_over"]
    with store.read() as ledger:
        assert [one.process for one in conditions.open_now(ledger)] == ["p2"]
        assert conditions.open_now(ledger, "p1") == []


def test_a_process_takes_over_what_one_said_that_is_gone(store: Store) -> None:
    begin(store, process="gone")
    begin(store, process="next", at_s=NOW + conditions.STALE_S + 1)
    assert kinds(store) == ["health"]
    end(store, process="next")
    assert kinds(store) == ["health", "health_over"]


def test_what_nobody_takes_over_is_ended(store: Store) -> None:
    begin(store, process="gone")
    shared = Condition("receiver", "x", "waits", NOW)
    begin(store, shared, "")
    with store.ledger() as ledger:
        conditions.seen(ledger, "gone", NOW + 60)
        conditions.end_orphans(ledger, ["slack"], NOW + conditions.ORPHAN_S + 30)
        assert len(conditions.open_now(ledger)) == 2
        conditions.end_orphans(ledger, ["slack"], NOW + conditions.ORPHAN_S + 90)
        assert [one.kind for one in conditions.open_now(ledger)] == ["receiver"]
    assert "is gone" in told(store)[-1].headline


def test_what_is_explained_is_told_only_if_it_outlasts_that(store: Store) -> None:
    explained = Condition("lag", "topic", "far behind", NOW, "stalled")
    begin(store, explained)
    assert kinds(store) == []
    with store.ledger() as ledger:
        conditions.follow(ledger, LAG, "p1", ["slack"], NOW + 60)
        conditions.follow(ledger, LAG, "p1", ["slack"], NOW + 70)
    assert kinds(store) == ["health"]
    end(store)
    assert kinds(store) == ["health", "health_over"]
    begin(store, explained)
    end(store, explained)
    assert kinds(store) == ["health", "health_over"], "of what nobody heard, no end is told"


def test_of_a_receiver_that_fails_the_others_tell_whatever_the_routes_say(store: Store) -> None:
    dead = Condition("undelivered", "slack", "1 message was given up", NOW)
    begin(store, dead, "")
    assert (kinds(store), kinds(store, "terminal")) == ([], ["health"])
    routing = Routing(("slack", "terminal"), (Route(name="all", receivers=("slack",)),))
    again = Condition("receiver", "slack", "waits", NOW)
    with store.ledger() as ledger:
        conditions.begin(ledger, again, "", routing, NOW)
        conditions.begin(ledger, LAG, "p1", routing, NOW)
    assert kinds(store) == ["health"], "that of the lag goes by its route"
    assert kinds(store, "terminal") == ["health", "health"]


def test_where_there_is_no_other_receiver_the_log_says_it(store: Store, caplog: object) -> None:
    dead = Condition("undelivered", "slack", "1 message\x1b[2J was given up", NOW)
    with store.ledger() as ledger:
        conditions.begin(ledger, dead, "", ["slack"], NOW)
    assert kinds(store) == []
    assert "given up" in caplog.text  # type: ignore[attr-defined]
    assert "\x1b" not in caplog.text  # type: ignore[attr-defined]


def test_old_ones_are_listed_and_forgotten(store: Store) -> None:
    begin(store)
    end(store, at_s=NOW + 5)
    begin(store, Condition("stalled", "topic", "x", NOW + 10))
    with store.ledger() as ledger:
        found = conditions.between(ledger, NOW, NOW + 20, 10)
        assert [one.kind for one in found] == ["stalled", "lag"]
        conditions.prune(ledger, NOW + 100)
        assert [one.kind for one in conditions.between(ledger, 0.0, NOW + 20, 10)] == ["stalled"]
