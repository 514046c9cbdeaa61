"""Of each table what is old and settled goes; what is in force, or recent, never does."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, Engine, Float, Integer, Table, event, func, insert, select
from sqlalchemy.types import Boolean

from alerting.killswitch import PointState
from monitor.config import Config
from monitor.ledger import audit
from monitor.ledger.audit_read import verify
from monitor.ledger.forgetting import BATCH
from monitor.retention import DAY_S, prune
from monitor.store import Store
from monitor.store import schema as tables

NOW_S = 1_900_000_000.0
OLD_S = NOW_S - 3 * 365 * DAY_S
LATELY_S = NOW_S - DAY_S

# By table: rows that go, and rows that stay, each by what tells it from another.
ROWS: list[tuple[Table, list[dict[str, Any]], list[dict[str, Any]]]] = [
    (
        tables.alerts,
        [{"alert_id": "old", "opened_at": OLD_S, "state": "resolved"}],
        [
            {"alert_id": "open", "opened_at": OLD_S, "state": "open"},
            {"alert_id": "new", "opened_at": LATELY_S, "state": "resolved"},
        ],
    ),
    (
        tables.anomalies,
        [
            {"anomaly_id": "old", "alert_id": "old", "stored_at": OLD_S},
            {"anomaly_id": "shadow", "alert_id": "", "stored_at": OLD_S},
        ],
        [
            {"anomaly_id": "live", "alert_id": "open", "stored_at": OLD_S},
            {"anomaly_id": "new", "alert_id": "new", "stored_at": LATELY_S},
        ],
    ),
    (
        tables.alert_changes,
        [{"seq": 1, "alert_id": "old"}],
        [{"seq": 2, "alert_id": "open"}, {"seq": 3, "alert_id": "new"}],
    ),
    (
        tables.incidents,
        [{"incident_id": "old", "opened_at": OLD_S}],
        [{"incident_id": "new", "opened_at": LATELY_S}],
    ),
    (
        tables.mutes,
        [{"mute_id": "old", "ended_at": OLD_S}],
        [{"mute_id": "live", "ended_at": None}, {"mute_id": "new", "ended_at": LATELY_S}],
    ),
    (
        tables.threads,
        [{"thread": "old", "created_at": OLD_S}],
        [{"thread": "new", "created_at": LATELY_S}],
    ),
    (
        tables.requests,
        [{"request_id": "old", "settled_at": OLD_S}],
        [
            {"request_id": "live", "settled_at": None},
            {"request_id": "new", "settled_at": LATELY_S},
        ],
    ),
    (
        tables.outbox,
        [{"delivery_id": "old", "settled_at": OLD_S, "state": "sent"}],
        [
            {"delivery_id": "live", "settled_at": None, "state": "pending"},
            {"delivery_id": "new", "settled_at": LATELY_S, "state": "dead"},
        ],
    ),
    (
        tables.conditions,
        [{"condition_id": "old", "ended_at": OLD_S, "kind": "a"}],
        [
            {"condition_id": "live", "ended_at": None, "kind": "b"},
            {"condition_id": "new", "ended_at": LATELY_S, "kind": "c"},
        ],
    ),
    (
        tables.directives,
        [{"seq": 1, "stamped_at": OLD_S}],
        [{"seq": 2, "stamped_at": None}, {"seq": 3, "stamped_at": LATELY_S}],
    ),
    (
        tables.trips,
        [
            {"trip_id": "replaced", "restored_at": None, "ordered_at": OLD_S},
            {"trip_id": "old", "restored_at": OLD_S, "ordered_at": OLD_S},
        ],
        [
            {"trip_id": "live", "agent_id": "cut off", "restored_at": None, "ordered_at": OLD_S},
            {"trip_id": "last", "agent_id": "free", "restored_at": OLD_S, "ordered_at": OLD_S},
            {"trip_id": "driven", "restored_at": None, "ordered_at": OLD_S},
            {"trip_id": "new", "restored_at": LATELY_S, "ordered_at": OLD_S},
        ],
    ),
    (
        tables.points,
        [{"trip_id": "old", "state": "confirmed"}],
        [
            {"trip_id": "live", "state": "confirmed"},
            {"trip_id": "last", "state": "confirmed"},
            {"trip_id": "driven", "state": PointState.PENDING},
        ],
    ),
    (
        tables.watches,
        [{"trip_id": "old"}],
        [{"trip_id": "live"}, {"trip_id": "last"}],
    ),
    (
        tables.agents,
        [],
        [
            {"agent_id": "cut off", "trip_id": "live", "state": "contained", "since": OLD_S},
            {"agent_id": "free", "trip_id": "last", "state": "active", "since": OLD_S},
        ],
    ),
    (
        tables.holds,
        [{"hold_id": "old", "lifted_at": OLD_S}],
        [
            {"hold_id": "live", "lifted_at": None},
            {"hold_id": "busy", "lifted_at": OLD_S},
            {"hold_id": "new", "lifted_at": LATELY_S},
        ],
    ),
    (
        tables.hold_members,
        [{"hold_id": "old", "released_at": OLD_S}],
        [
            {"hold_id": "live", "released_at": None},
            {"hold_id": "busy", "released_at": None},
            {"hold_id": "new", "released_at": LATELY_S},
        ],
    ),
    (
        tables.approvals,
        [
            {"approval_id": "old", "state": "approved", "decided_at": OLD_S, "expires_at": OLD_S},
            {"approval_id": "over", "state": "expired", "decided_at": None, "expires_at": OLD_S},
        ],
        [
            {"approval_id": "live", "state": "waiting", "decided_at": None, "expires_at": OLD_S},
            {"approval_id": "new", "state": "declined", "decided_at": LATELY_S, "expires_at": 0.0},
        ],
    ),
    (
        tables.pauses,
        [{"pause_id": "old", "ended_at": OLD_S}],
        [{"pause_id": "live", "ended_at": None}, {"pause_id": "new", "ended_at": LATELY_S}],
    ),
    (
        tables.grants,
        [{"grant_id": "old", "expires_at": OLD_S, "revoked_at": None}],
        [
            {"grant_id": "standing", "expires_at": None, "revoked_at": None},
            {"grant_id": "revoked", "expires_at": None, "revoked_at": OLD_S},
            {"grant_id": "given back", "expires_at": NOW_S + 1, "revoked_at": OLD_S},
            {"grant_id": "new", "expires_at": LATELY_S, "revoked_at": None},
        ],
    ),
    (
        tables.tokens,
        [],
        [{"token_id": "revoked", "name": "a", "digest": "a", "revoked_at": OLD_S}],
    ),
    (
        tables.actions,
        [{"seq": 1, "offset": 1, "logged_at": OLD_S}],
        [{"seq": 2, "offset": 2, "logged_at": LATELY_S}],
    ),
    (tables.claims, [], [{"source": "log", "claimed_at": OLD_S}]),
]


def filled(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """A row with something in each column that needs it."""
    needed = [c for c in table.c if not c.nullable and c is not table.autoincrement_column]
    return {**{column.name: _any(column) for column in needed}, **row}


def _any(column: Column[Any]) -> Any:
    if isinstance(column.type, Boolean):
        return False
    return 0 if isinstance(column.type, Integer | Float) else ""


def test_every_table_of_the_ledger_is_here() -> None:
    of_the_audit = {tables.audit, tables.audit_details, tables.audit_head}
    assert {table for table, _, _ in ROWS} | of_the_audit == set(tables.ledger.sorted_tables)


def test_what_is_old_and_settled_goes_and_nothing_else(store: Store) -> None:
    rows = {table: (going, staying) for table, going, staying in ROWS}
    parents_first = [table for table in tables.ledger.sorted_tables if table in rows]
    with store.ledger() as ledger:
        audit.append(ledger, at_s=OLD_S, actor="os:a", action="did", subject="x", doc={})
        for table in parents_first:
            for row in (*rows[table][0], *rows[table][1]):
                ledger.execute(insert(table).values(filled(table, row)))
    for _ in range(2):  # what is done again changes nothing
        prune(store, Config(), NOW_S)
        with store.read() as ledger:
            for table in parents_first:
                staying = rows[table][1]
                key = next(iter((staying or rows[table][0])[0]))
                left = ledger.execute(select(table.c[key])).scalars().all()
                assert sorted(left) == sorted(row[key] for row in staying), table.name
            assert verify(ledger) is None
            assert len(audit.entries(ledger, 10)) == 1


@contextmanager
def deleted_by_transaction() -> Iterator[list[int]]:
    """How many rows each transaction on any database deletes meanwhile."""
    deleted: list[int] = []

    def begin(_connection: object) -> None:
        deleted.append(0)

    def count(_connection: object, cursor: Any, statement: str, *_rest: object) -> None:
        if statement.startswith("DELETE"):
            deleted[-1] += cursor.rowcount

    listeners = (("begin", begin), ("after_cursor_execute", count))
    for name, listener in listeners:
        event.listen(Engine, name, listener)
    try:
        yield deleted
    finally:
        for name, listener in listeners:
            event.remove(Engine, name, listener)


def test_much_goes_some_at_a_time(store: Store) -> None:
    """Whoever kills meanwhile waits for the end of one transaction."""
    many = 2 * BATCH + BATCH // 2
    old: dict[Table, list[dict[str, Any]]] = {
        tables.alerts: [
            {"alert_id": f"{n}", "incident_id": f"{n}", "opened_at": OLD_S} for n in range(many)
        ],
        tables.alert_changes: [{"seq": n, "alert_id": f"{n}"} for n in range(many)],
        tables.anomalies: [{"anomaly_id": f"{n}", "stored_at": OLD_S} for n in range(many)],
        tables.incidents: [{"incident_id": f"{n}", "opened_at": OLD_S} for n in range(many)],
        tables.outbox: [{"delivery_id": f"{n}", "settled_at": OLD_S} for n in range(many)],
        tables.threads: [{"thread": f"{n}", "created_at": OLD_S} for n in range(many)],
        tables.trips: [{"trip_id": f"{n}", "ordered_at": OLD_S} for n in range(BATCH)],
        tables.points: [
            {"trip_id": f"{n}", "point": point, "state": "confirmed"}
            for n in range(BATCH)
            for point in ("iam", "gateway")
        ],
        tables.holds: [{"hold_id": "all", "lifted_at": OLD_S}],
        tables.hold_members: [
            {"hold_id": "all", "agent_id": f"{n}", "released_at": OLD_S} for n in range(many)
        ],
    }
    with store.ledger() as ledger:
        audit.append(ledger, at_s=OLD_S, actor="os:a", action="did", subject="x", doc={})
        for table, rows in old.items():
            ledger.execute(insert(table), [filled(table, row) for row in rows])
    with deleted_by_transaction() as deleted:
        prune(store, Config(), NOW_S)
    assert sum(deleted) == sum(map(len, old.values()))
    assert max(deleted) <= 3 * BATCH
    with store.read() as ledger:
        for table in old:
            left = ledger.execute(select(func.count()).select_from(table)).scalar_one()
            assert left == 0, table.name
