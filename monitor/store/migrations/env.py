"""What Alembic runs for every command; `monitor.store.migrations` passes the connection in."""

from alembic import context

from monitor.store import schema
from monitor.store.migrations import version_table

group = context.config.attributes["group"]
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.ledger if group == "ledger" else schema.state,
    version_table=version_table(group),
)
with context.begin_transaction():
    context.run_migrations()
