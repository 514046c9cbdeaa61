"""Schema migrations, run by Alembic when a store is opened.

Each group of tables (`ledger`, `state`) has a line of revisions and a version table of its own.
To add one: change `schema`, then `make migration GROUP=ledger MESSAGE="add x"`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from sqlalchemy import Connection, Engine, inspect, text

from monitor.errors import TripswitchError

if TYPE_CHECKING:
    from alembic.config import Config

HERE: Final = Path(__file__).parent
Group = Literal["ledger", "state"]

_POSTGRES_LOCK = 7_214_021
"""Any number, the same for every process: two daemons that start at once must not both migrate."""


def alembic_config(group: Group) -> "Config":
    """Alembic's settings for one group of tables."""
    from alembic.config import Config  # half a second to import, and seldom needed

    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("version_locations", str(HERE / group))
    config.set_main_option("path_separator", "os")
    config.attributes["group"] = group
    return config


def version_table(group: Group) -> str:
    """The name of the table in which a group's revision stands."""
    return f"schema_version_{group}"


def revisions(group: Group) -> list[str]:
    """The revisions that this version knows, the newest last."""
    return sorted(path.name.split("_")[0] for path in (HERE / group).glob("[0-9]*.py"))


def upgrade(engine: Engine, group: Group) -> None:
    """Bring one group of tables to this version's revision.

    Raises
    ------
    TripswitchError
        If the tables were written by a version that this one does not know.
    """
    known = revisions(group)
    # Nearly always there is nothing to do: then nobody who writes, such as a large checkpoint, is
    # waited for.
    reader = engine.connect().execution_options(read_only=True)
    with reader as connection, connection.begin():
        if _revision(connection, group) == known[-1]:
            return
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL lock_timeout = 0"))  # a migration may take long
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_POSTGRES_LOCK})"))
        current = _revision(connection, group)
        if current == known[-1]:  # another process was faster
            return
        if current is not None and current not in known:
            raise TripswitchError(
                f"its {group} is of schema {current}, which a newer Tripswitch wrote; this one "
                f"knows up to {known[-1]}. Upgrade Tripswitch, or restore a backup"
            )
        from alembic import command

        config = alembic_config(group)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(connection: Connection, group: Group) -> str | None:
    table = version_table(group)
    if not inspect(connection).has_table(table):
        return None
    return connection.execute(text(f"SELECT version_num FROM {table}")).scalar_one_or_none()  # noqa: S608 - a constant
