"""SQLite on a disk that is full while a file exists: `python -m tests.kit.cramped run …`.

SQLite has a limit of its own that is the very error of a full disk.
"""

import os
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, event

FLAG_VARIABLE: Final = "CRAMPED_FLAG"
"""Names the file."""
_ALL_THE_WORLD: Final = 2**30


def limit(connection: Connection, *, is_full: bool) -> None:
    """At the begin of each transaction: no file can grow that is full; what it has it keeps."""
    pages = 1 if is_full else _ALL_THE_WORLD
    connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def _run() -> None:
    from monitor.cli import main

    flag = Path(os.environ[FLAG_VARIABLE])
    event.listen(Engine, "begin", lambda connection: limit(connection, is_full=flag.exists()))
    main()


if __name__ == "__main__":
    _run()
