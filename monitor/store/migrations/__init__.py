"""Schema migrations, run by Alembic when a store is opened.

Each group of tables (`ledger`, `state`) has a line of revisions and a version table of its own.
To add one: change `schema.py`, then `make migration GROUP=ledger MESSAGE="add x"`.
"""

from pathlib import Path
from typing import Final, Literal

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from monitor.errors import TripswitchError

HERE: Final = Path(__file__).parent
Group = Literal["ledger", "state"]

_POSTGRES_LOCK = 7_214_021
"""Any number, the same for every process: two daemons that start at once must not both migrate."""


def alembic_config(group: Group) -> Config:
    """Alembic's settings for one group of tables."""
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("version_locations", str(HERE / group))
    config.set_main_option("path_separator", "os")
    config.attributes["group"] = group
    return config


def version_table(group: Group) -> str:
    """The name of the table in which a group's revision stands."""
    return f"schema_version_{group}"


def upgrade(engine: Engine, group: Group) -> None:
    """Bring one group of tables to this version's revision.

    Raises
    ------
    TripswitchError
        If the tables were written by a version that this one does not know.
    """
    config = alembic_config(group)
    script = ScriptDirectory.from_config(config)
    with engine.begin() as connection:
        if _revision(connection, group) == script.get_current_head():
            return
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_POSTGRES_LOCK})"))
        current = _revision(connection, group)
        known = {revision.revision for revision in script.walk_revisions()}
        if current is not None and current not in known:
            raise TripswitchError(
                f"its {group} is of schema {current}, which a newer Tripswitch wrote; this one "
                f"knows up to {script.get_current_head()}. Upgrade Tripswitch, or restore a backup"
            )
        _run(config, connection)


def _revision(connection: Connection, group: Group) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": version_table(group)})
    return context.get_current_revision()


def _run(config: Config, connection: Connection) -> None:
    from alembic import command  # 0.3 s to import, and seldom needed

    config.attributes["connection"] = connection
    command.upgrade(config, "head")
