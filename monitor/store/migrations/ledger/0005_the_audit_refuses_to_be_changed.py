"""the audit refuses to be changed."""

from typing import Final

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES: Final = ("audit", "audit_details", "audit_head")
GROWS: Final = "NEW.count > OLD.count AND NEW.id = OLD.id AND NEW.store_id = OLD.store_id"

REFUSED: Final = {
    ("audit", "UPDATE"): "",
    ("audit", "DELETE"): "",
    ("audit_details", "UPDATE"): "",  # DELETE is erasure, which the chain must name
    ("audit_head", "DELETE"): "",
    ("audit_head", "UPDATE"): f"WHEN (NOT ({GROWS}))",
}
"""What is refused of which table, and when."""


def upgrade() -> None:
    """Bring the triggers in."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change_of_audit() RETURNS trigger LANGUAGE plpgsql AS $$ "
            "BEGIN RAISE EXCEPTION '% of % is refused: it is append-only', TG_OP, TG_TABLE_NAME; "
            "END $$"
        )
        for (table, change), when in REFUSED.items():
            _on_postgresql(table, change, f"FOR EACH ROW {when}")
        for table in TABLES:
            _on_postgresql(table, "TRUNCATE", "FOR EACH STATEMENT")
        return
    for (table, change), when in REFUSED.items():
        _on_sqlite(table, change, when)
    for table in TABLES:  # INSERT OR REPLACE deletes, and no other trigger would see it
        key = "id" if table == "audit_head" else "seq"
        part = " AND part = NEW.part" if table == "audit_details" else ""
        is_there = f"EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key}{part})"  # noqa: S608 - constants
        _on_sqlite(table, "INSERT", f"WHEN {is_there}")


def downgrade() -> None:
    """Take the triggers out."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change_of_audit() CASCADE")
        return
    for table, change in [*REFUSED, *((table, "INSERT") for table in TABLES)]:
        op.execute(f"DROP TRIGGER {table}_refuses_{change.lower()}")


def _on_postgresql(table: str, change: str, each: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_refuses_{change.lower()} BEFORE {change} ON {table} "
        f"{each} EXECUTE FUNCTION refuse_change_of_audit()"
    )


def _on_sqlite(table: str, change: str, when: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_refuses_{change.lower()} BEFORE {change} ON {table} {when} "
        f"BEGIN SELECT RAISE(ABORT, '{change} of {table} is refused: it is append-only'); END"
    )
