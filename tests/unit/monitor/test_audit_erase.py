from typing import cast

import pytest
from sqlalchemy import insert, select, text, update

from alerting.alert import AlertState
from monitor.ledger import alerts as ledger_alerts
from monitor.ledger import audit, trips
from monitor.ledger.audit_erase import BATCH, Erased, Whose, erase, erase_older, find
from monitor.store import Store
from monitor.store.schema import anomalies, audit_details
from monitor.store.schema import outbox as outbox_table
from tests.kit.forge import drop_triggers
from tests.kit.messages import alert, anomaly

NOW_S = 1_800_000_000.0
ALICE = Whose("os:alice", is_agent=False)
PAYROLL = Whose("payroll-1", is_agent=True)


def append(store: Store, actor: str, subject: str, at_s: float = NOW_S, **words: str) -> None:
    with store.ledger() as ledger:
        audit.append(
            ledger, at_s=at_s, actor=actor, action="did", subject=subject, doc={}, text=words
        )


def fill(store: Store) -> None:
    append(store, "os:alice", "payroll-1", reason="one")
    append(store, "os:bob", "payroll-1", reason="two")
    append(store, "os:alice", "support-1", reason="three")
    append(store, "os:bob", "support-1", by="os:alice", reason="four")
    append(store, "os:bob", "os:alice", reason="five")
    append(store, "os:alice-2", "payroll-10", reason="os:alice, payroll-1")


def run(store: Store, whose: Whose) -> Erased:
    with store.snapshot() as ledger:
        found = find(ledger, whose)
    with store.ledger() as ledger:
        return erase(ledger, whose, found, by="os:dpo", reason="asked on paper", now_s=NOW_S)


def left(store: Store) -> list[str]:
    """Each entry as the first letters of its parts that are left."""
    with store.snapshot() as ledger:
        assert audit.verify(ledger) is None
        query = select(audit_details.c.seq, audit_details.c.part).order_by(audit_details.c.seq)
        found = ledger.execute(query).all()
    seqs = range(1, max((row.seq for row in found), default=0) + 1)
    return ["".join(sorted(r.part[0] for r in found if r.seq == seq)) for seq in seqs]


def test_a_person_is_erased_and_the_chain_stays_whole(store: Store) -> None:
    fill(store)
    erased = run(store, ALICE)
    assert erased == Erased(entries=4, details=7, elsewhere={})
    assert left(store) == ["s", "ast", "s", "as", "a", "ast", "ast"]
    with store.read() as ledger:
        said = audit.entries(ledger, 10)
    assert said[0]["actor"] == "(erased)"
    assert said[-1]["doc"]["erased"] == {
        "actor": [[1, 1], [3, 3]],
        "subject": [[5, 5]],
        "text": [[1, 1], [3, 5]],
    }
    assert "alice" not in str(said[-1])


def test_what_is_about_an_agent_is_erased(store: Store) -> None:
    fill(store)
    assert run(store, PAYROLL).details == 4
    assert left(store) == ["a", "a", "ast", "ast", "ast", "ast", "ast"]
    assert run(store, PAYROLL).details == 0  # and again: that is an entry, too, and whole
    assert left(store)[-1] == "ast"


def test_an_agent_that_is_named_like_a_label_or_a_pattern_takes_nothing_else(store: Store) -> None:
    for name in ("reason", "%", "_", 'a"b', "\x00", "ü\ud800"):
        fill(store)
        append(store, "os:bob", name, reason="about it")
        assert run(store, Whose(name, is_agent=True)).details == 2


def test_what_came_after_the_search_is_erased_too(store: Store) -> None:
    fill(store)
    with store.snapshot() as ledger:
        found = find(ledger, ALICE)
    append(store, "os:alice", "payroll-1", reason="late")
    with store.ledger() as ledger:
        erase(ledger, ALICE, found, by="os:dpo", reason="r", now_s=NOW_S)
    assert left(store)[6] == "s"


def test_an_erasure_excuses_nothing_else(store: Store) -> None:
    fill(store)
    run(store, ALICE)
    with store.ledger() as ledger:
        ledger.execute(text("DELETE FROM audit_details WHERE seq = 2 AND part = 'text'"))
    with store.snapshot() as ledger:
        assert audit.verify(ledger) == "entry 2: its text is missing, and no erasure names it"


def test_an_erasure_cannot_name_what_comes_after_it(store: Store) -> None:
    with store.ledger() as ledger:
        named = {"erased": {"text": [[1, 99]]}}
        audit.append(ledger, at_s=NOW_S, actor="x", action="details erased", subject="y", doc=named)
    fill(store)
    with store.ledger() as ledger:
        ledger.execute(text("DELETE FROM audit_details WHERE seq = 3 AND part = 'text'"))
    with store.snapshot() as ledger:
        assert audit.verify(ledger) == "entry 3: its text is missing, and no erasure names it"


def test_what_was_erased_cannot_come_back_unseen(store: Store) -> None:
    fill(store)
    with store.read() as ledger:
        kept = dict(
            ledger.execute(select(audit_details).where(audit_details.c.seq == 1)).mappings().first()
            or {}
        )
    run(store, ALICE)
    with store.ledger() as ledger:
        drop_triggers(ledger)
        ledger.execute(insert(audit_details).values(kept))
    with store.snapshot() as ledger:
        assert audit.verify(ledger) == (
            "entry 1: its actor is there, though entry 7 says that it was erased"
        )


def test_what_is_older_than_its_retention_is_erased(store: Store) -> None:
    for number in range(6):
        append(store, "os:alice", "payroll-1", at_s=NOW_S + number, reason=f"r{number}")
    append(store, "os:alice", "payroll-1", at_s=NOW_S - 9, reason="by a clock that was wrong")
    with store.ledger() as ledger:
        assert erase_older(ledger, NOW_S + 3, NOW_S + 10) == 12 < BATCH
        assert erase_older(ledger, NOW_S + 3, NOW_S + 10) == 0
    assert left(store) == ["", "", "", "ast", "ast", "ast", "", "ast"]
    with store.ledger() as ledger:
        assert erase_older(ledger, NOW_S + 99, NOW_S + 99) == 9
        assert erase_older(ledger, NOW_S + 999, NOW_S + 999) == 0  # it does not go on for ever
    assert left(store)[7:] == ["ast", "ast"]


def order_and_restore(store: Store, agent: str) -> None:
    with store.ledger() as ledger:
        trips.order_kill(
            ledger, agent_id=agent, reason="alice saw it", ordered_by="os:alice", automatic=False,
            now_s=NOW_S, points=(), receivers=("slack",),
        )  # fmt: skip
        trips.order_restore(
            ledger, agent_id=agent, reason="it was nothing", ordered_by="os:alice",
            now_s=NOW_S + 1, probation_s=1.0, receivers=("slack",),
        )  # fmt: skip


def words(store: Store, agent: str) -> list[str | None]:
    with store.read() as ledger:
        (trip,) = trips.list_trips(ledger, agent)
    return [trip.ordered_by, trip.reason, trip.restore_ordered_by, trip.restore_reason]


@pytest.mark.parametrize("whose", [ALICE, PAYROLL])
def test_a_trip_keeps_its_words_until_it_is_over(store: Store, whose: Whose) -> None:
    order_and_restore(store, "payroll-1")
    order_and_restore(store, "support-1")
    assert run(store, whose).elsewhere == {}
    assert words(store, "payroll-1")[1] == "alice saw it"
    with store.ledger() as ledger:
        assert trips.end_probation(ledger, NOW_S + 99) == 2
        ledger.execute(update(outbox_table).values(state="sent", settled_at=NOW_S))
    erased = run(store, whose)
    if whose.is_agent:
        assert words(store, "payroll-1") == ["os:alice", "(erased)"] * 2
        assert words(store, "support-1")[1] == "alice saw it"
        assert erased.elsewhere["trips"] == 2
    else:
        assert words(store, "payroll-1") == words(store, "support-1") == ["(erased)"] * 4
        assert erased.elsewhere["trips"] == 4
        with store.read() as ledger:
            assert "alice" not in str(ledger.execute(select(outbox_table.c.doc)).all())
    assert erased.elsewhere["outbox"] > 0
    assert run(store, whose).elsewhere == {}


def alerted(store: Store, state: AlertState, agent: str = "payroll-1") -> None:
    worst = anomaly(anomaly_id=f"{state}-{agent}", agent_id=agent)
    made = alert(
        worst, alert_id=f"{state}-{agent}", agent_id=agent, state=state, resolved_by="os:alice",
        resolved_reason="she says so",
    )  # fmt: skip
    with store.ledger() as ledger:
        ledger_alerts.store(ledger, [made])
        ledger.execute(
            anomalies.insert().values(
                anomaly_id=worst.anomaly_id, alert_id=made.alert_id, agent_id=agent,
                detector="boundary", severity=3, event_time=NOW_S, stored_at=NOW_S,
                doc=worst.model_dump_json(),
            )
        )  # fmt: skip


def test_resolved_alerts_of_an_agent_go_and_an_open_one_stays(store: Store) -> None:
    for state, agent in (("resolved", "payroll-1"), ("open", "payroll-1"), ("resolved", "b")):
        alerted(store, cast("AlertState", state), agent)
    assert run(store, PAYROLL).elsewhere == {"alerts": 1, "anomalies": 1}
    with store.read() as ledger:
        ids = set(ledger.execute(select(anomalies.c.alert_id)).scalars())
        assert ids == {"open-payroll-1", "resolved-b"}
        assert {a.alert_id for a in ledger_alerts.newest(ledger, open_only=False)} == ids


def test_who_resolved_an_alert_is_erased(store: Store) -> None:
    alerted(store, "resolved")
    assert run(store, ALICE).elsewhere == {"alerts": 1}
    assert run(store, Whose("os:ali", is_agent=False)).elsewhere == {}
    with store.read() as ledger:
        (left_over,) = ledger_alerts.newest(ledger, open_only=False)
    assert (left_over.resolved_by, left_over.resolved_reason) == ("(erased)", "(erased)")
