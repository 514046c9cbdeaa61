from collections.abc import Iterable

import pytest
from sqlalchemy import Connection, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from monitor.ledger import audit
from monitor.ledger.audit_chain import PARTS, ranges_of
from monitor.store import Store
from monitor.store.schema import audit as table
from monitor.store.schema import audit_details, audit_head
from tests.kit.forge import drop_triggers, put_in, rewrite


@pytest.fixture
def forged(store: Store) -> Store:
    """A store with four entries that somebody can change who has the rights of its owner."""
    fill(store)
    with store.ledger() as ledger:
        drop_triggers(ledger)
    return store


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
    with store.snapshot() as ledger:
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
def test_a_changed_column_is_named(forged: Store, column: str) -> None:
    store = forged
    with store.ledger() as ledger:
        value = 1.0 if column == "at" else "forged"
        ledger.execute(update(table).where(table.c.seq == 2).values({column: value}))
    assert verify(store) == "entry 2 was changed"
    with store.read() as ledger:
        assert len(audit.entries(ledger, 10)) == 4  # still to be read


@pytest.mark.parametrize("part", PARTS)
def test_a_changed_detail_is_named(forged: Store, part: str) -> None:
    this = (audit_details.c.seq == 2, audit_details.c.part == part)
    with forged.ledger() as ledger:
        salt, content = ledger.execute(
            select(audit_details.c.salt, audit_details.c.content).where(*this)
        ).one()
        ledger.execute(update(audit_details).where(*this).values(content="os:mallory"))
    assert verify(forged) == f"entry 2: its {part} was changed"
    with forged.ledger() as ledger:
        ledger.execute(update(audit_details).where(*this).values(content=content, salt=salt[1:]))
    assert verify(forged) == f"entry 2: its {part} was changed"
    with forged.ledger() as ledger:
        ledger.execute(update(audit_details).where(*this).values(salt=salt))
    assert verify(forged) is None
    with forged.ledger() as ledger:
        ledger.execute(delete(audit_details).where(*this))
    assert verify(forged) == f"entry 2: its {part} is missing, and no erasure names it"


def test_a_detail_that_fits_no_entry_is_named(forged: Store) -> None:
    stray = {"salt": "s", "content": "c"}
    with forged.ledger() as ledger:
        ledger.execute(insert(audit_details).values(seq=9, part="actor", **stray))
    assert verify(forged) == "entry 9 is missing; its actor is still there"
    with forged.ledger() as ledger:
        ledger.execute(insert(audit_details).values(seq=3, part="alibi", **stray))
    assert verify(forged) == "entry 3: a detail 'alibi' was added"


@pytest.mark.parametrize("with_details", [False, True])
@pytest.mark.parametrize("seq", [1, 2])
def test_a_missing_entry_is_named(forged: Store, seq: int, with_details: bool) -> None:
    with forged.ledger() as ledger:
        ledger.execute(delete(table).where(table.c.seq == seq))
        if with_details:
            ledger.execute(delete(audit_details).where(audit_details.c.seq == seq))
    assert verify(forged) == f"entry {seq} is missing"


def test_the_last_entries_cannot_be_cut_off(forged: Store) -> None:
    with forged.ledger() as ledger:
        before = ledger.execute(select(table.c.hash).where(table.c.seq == 2)).scalar_one()
        ledger.execute(delete(table).where(table.c.seq >= 3))
    assert verify(forged) == "entry 3 is missing; it and all after it were deleted"
    with forged.ledger() as ledger:
        ledger.execute(update(audit_head).values(count=2))
    assert verify(forged) == "the head was changed: it does not hold the hash of entry 2"
    with forged.ledger() as ledger:
        ledger.execute(update(audit_head).values(hash=before))
    assert verify(forged) == "entry 3 is missing; its actor is still there"


def test_a_head_that_is_gone_is_named(forged: Store) -> None:
    with forged.ledger() as ledger:
        ledger.execute(delete(audit_head))
    assert verify(forged) == "the chain's head was deleted"


def test_an_entry_that_was_put_at_an_end_is_named(forged: Store) -> None:
    with forged.ledger() as ledger:
        row = dict(ledger.execute(select(table).where(table.c.seq == 4)).mappings().one())
        ledger.execute(insert(table).values({**row, "seq": 5}))
    assert verify(forged) == "entry 5 was added without the chain's head"
    with forged.ledger() as ledger:
        ledger.execute(insert(table).values({**row, "seq": 0}))
    assert verify(forged) == "entry 0 was added before the first"


@pytest.mark.parametrize(("at", "named"), [(1, 2), (3, 4), (4, 5)])
def test_an_entry_that_was_slipped_in_between_is_named(forged: Store, at: int, named: int) -> None:
    with forged.ledger() as ledger:
        put_in(ledger, at, "os:mallory")
        ledger.execute(update(audit_head).values(count=5))
    assert verify(forged) == f"entry {named} was changed"  # the one behind it fits no longer


def test_a_chain_made_anew_is_beyond_what_the_store_itself_can_show(forged: Store) -> None:
    with forged.ledger() as ledger:
        rewrite(ledger, 2, {"facts": "{}"})
    assert verify(forged) is None  # but the published heads show it: see test_audit_heads


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET action = 'x' WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 4",
        "UPDATE audit_details SET content = 'x' WHERE seq = 2",
        "UPDATE audit_details SET salt = 'x'",
        "DELETE FROM audit_head",
        "UPDATE audit_head SET count = 3",
        "UPDATE audit_head SET hash = 'x'",
        "UPDATE audit_head SET count = 9, store_id = 'x'",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE seq = 2",
        "INSERT OR REPLACE INTO audit_details SELECT * FROM audit_details WHERE seq = 2",
        "INSERT OR REPLACE INTO audit_head SELECT * FROM audit_head",
        "TRUNCATE audit",
        "TRUNCATE audit_details",
        "TRUNCATE audit_head",
    ],
)
def test_the_database_refuses_to_change_the_audit(store: Store, change: str) -> None:
    if change.startswith("INSERT OR") != store.is_sqlite and change.startswith(("INS", "TRU")):
        pytest.skip("the other database's way of saying it")
    fill(store)
    with store.ledger() as ledger, pytest.raises(DBAPIError, match="append-only"):
        _do(ledger, change)
    assert verify(store) is None


def _do(ledger: Connection, statement: str) -> None:
    with ledger.begin_nested():
        ledger.execute(text(statement))


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


def test_ranges() -> None:
    assert ranges_of([]) == []
    assert ranges_of([1, 2, 3, 7, 9, 10]) == [[1, 3], [7, 7], [9, 10]]
