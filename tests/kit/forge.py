"""A forger: changes the audit as somebody with the rights of the database's owner would."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, func, select, text, update

from monitor.ledger.audit_chain import COLUMNS, GENESIS, canonical, digest, entry_hash
from monitor.store.schema import audit, audit_details, audit_head

TABLES: Final = (audit, audit_details, audit_head)


def drop_triggers(connection: Connection) -> None:
    """Take away what refuses changes of the audit."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("DROP FUNCTION refuse_change_of_audit() CASCADE"))
        return
    found = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
    for name in found.scalars().all():
        connection.execute(text(f"DROP TRIGGER {name}"))


def rewrite(connection: Connection, seq: int, changed: Mapping[str, Any]) -> None:
    """Change an entry, and make all hashes after it and the head anew: nothing inside shows it."""
    prev_hash = GENESIS
    for row in connection.execute(select(audit).order_by(audit.c.seq)).mappings().all():
        entry = {**row, "prev_hash": prev_hash, **(changed if row["seq"] == seq else {})}
        prev_hash = entry_hash({name: entry[name] for name in COLUMNS})
        entry["hash"] = prev_hash
        connection.execute(update(audit).where(audit.c.seq == row["seq"]).values(entry))
    last = connection.execute(select(func.max(audit.c.seq))).scalar()
    connection.execute(update(audit_head).values(count=last, hash=prev_hash))


def put_in(connection: Connection, at: int, actor: str) -> None:
    """Slip an entry in with details of its own that fit, and renumber what comes after it."""
    last = connection.execute(select(func.max(audit.c.seq))).scalar() or 0
    for seq in range(last, at - 1, -1):
        for table in (audit, audit_details):
            connection.execute(update(table).where(table.c.seq == seq).values(seq=seq + 1))
    contents = {"actor": actor, "subject": "payroll-1", "text": canonical({"reason": "forged"})}
    before = select(audit.c.hash).where(audit.c.seq == at - 1)
    entry: dict[str, Any] = {
        "seq": at,
        "at": 1_700_000_000.5,
        "action": "kill ordered",
        "facts": "{}",
        **{f"{part}_digest": digest("salt", content) for part, content in contents.items()},
        "prev_hash": connection.execute(before).scalar() or GENESIS,
    }
    connection.execute(audit.insert().values(**entry, hash=entry_hash(entry)))
    connection.execute(
        audit_details.insert(),
        [{"seq": at, "part": p, "salt": "salt", "content": c} for p, c in contents.items()],
    )
