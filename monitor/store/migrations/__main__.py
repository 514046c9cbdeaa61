"""Writes a migration from the difference between `schema` and the newest revision."""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from monitor.store.migrations import Group, alembic_config, upgrade


def write(group: Group, message: str) -> None:
    """Write the next revision of a group of tables, for a person to read and complete."""
    with tempfile.TemporaryDirectory() as directory:
        engine = create_engine(f"sqlite:///{Path(directory) / 'scratch.db'}")
        upgrade(engine, group)
        config = alembic_config(group)
        number = len(list(ScriptDirectory.from_config(config).walk_revisions())) + 1
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.revision(config, message, autogenerate=True, rev_id=f"{number:04d}")


if __name__ == "__main__":
    chosen, text = sys.argv[1:] if len(sys.argv) == 3 else ("", "")
    if chosen not in ("ledger", "state") or not text:
        sys.exit('usage: make migration GROUP=ledger|state MESSAGE="what changes"')
    write("ledger" if chosen == "ledger" else "state", text)
