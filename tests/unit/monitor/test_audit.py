from collections.abc import Iterable

import pytest
from sqlalchemy import delete, insert, select, update

from monitor.ledger import audit
from monitor.store import Store
from monitor.store.schema import audit as table
from monitor.store.schema import audit_head


def fill(store: Store, subjects: Iterable[str] = ("a", "b", "c", "d")) -> None:
    for number, subject in enumerate(subjects):
        with store.ledger() as ledger:
            audit.append(
                ledger,
                at_s=1_700_000_000.123456 + number,
                actor="os:alice",
                action="kill ordered",
                subject=subject,
                doc={"n": number},
                text={"reason": f"why {subject}"},
            )


def verify(store: Store) -> str | None:
    with store.read() as ledger:
        return audit.verify(ledger)


def test_a_chain_that_nobody_touched_is_whole(store: Store) -> None:
    assert verify(store) is None
    fill(store, ("a", "\x00\x1b[2J", "ü" * 5000, "'; DROP TABLE audit; --", "\ud800"))
    assert verify(store) is None
    with store.read() as ledger:
        latest = audit.entries(ledger, 2)
    assert [entry["seq"] for entry in latest] == [4, 5]
    assert latest[0]["doc"]["n"] == 3


@pytest.mark.parametrize(
    "column",
    ["at", "action", "facts", "actor_digest", "subject_digest", "text_digest", "prev_hash", "hash"],
)
def test_a_changed_column_is_named(store: Store, column: str) -> None:
    fill(store)
    with store.ledger() as ledger:
        value = 1.0 if column == "at" else "forged"
        ledger.execute(update(table).where(table.c.seq == 2).values({column: value}))
    assert verify(store) == "entry 2 was changed"
    with store.read() as ledger:
        assert len(audit.entries(ledger, 10)) == 4  # still to be read


@pytest.mark.parametrize("seq", [1, 2])
def test_a_missing_entry_is_named(store: Store, seq: int) -> None:
    fill(store)
    with store.ledger() as ledger:
        ledger.execute(delete(table).where(table.c.seq == seq))
    assert verify(store) == f"entry {seq} is missing"


def test_the_last_entries_cannot_be_cut_off(store: Store) -> None:
    fill(store)
    with store.ledger() as ledger:
        ledger.execute(delete(table).where(table.c.seq >= 3))
    assert verify(store) == "entry 3 is missing; it and all after it were deleted"
    with store.ledger() as ledger:
        ledger.execute(update(audit_head).values(count=2))
    assert verify(store) == "the head was changed: it does not hold the hash of entry 2"


def test_an_entry_that_was_slipped_in_is_named(store: Store) -> None:
    fill(store)
    with store.ledger() as ledger:
        row = dict(ledger.execute(select(table).where(table.c.seq == 4)).mappings().one())
        ledger.execute(insert(table).values({**row, "seq": 5}))
    assert verify(store) == "entry 5 was added without the chain's head"
    with store.ledger() as ledger:
        ledger.execute(insert(table).values({**row, "seq": 0}))
    assert verify(store) == "entry 0 was added before the first"


def test_an_entry_and_what_it_is_about_live_and_die_together(store: Store) -> None:
    fill(store, ("a",))
    with pytest.raises(RuntimeError):
        _append_and_fail(store)
    fill(store, ("b",))
    assert verify(store) is None


def _append_and_fail(store: Store) -> None:
    with store.ledger() as ledger:
        audit.append(ledger, at_s=1.0, actor="x", action="y", subject="z", doc={})
        raise RuntimeError
