"""A process that holds the audit's lock and writes many rows at a time, in one transaction.

`python -m tests.kit.endless_writer URL HOW`: prints a line once it writes, and never ends.
"""

import sys
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, bindparam, update

from monitor.config import StoreConfig
from monitor.ledger import actions, audit
from monitor.store import Store, engine
from monitor.store.schema import threads
from monitor.store.sql import upsert
from tests.kit.events import START_S, event

ABANDONED_S: Final = 1.0
MANY: Final = 1000
_DONE: Final = [
    actions.row("topic", 0, number, START_S, event(number), "read") for number in range(MANY)
]
_THREADS: Final = [
    {"receiver": "slack", "thread": f"{number}", "place": "here", "created_at": START_S}
    for number in range(MANY)
]
_MOVE: Final = (
    update(threads).where(threads.c.thread == bindparam("of")).values(place=bindparam("to"))
)
WAYS: Final[dict[str, Callable[[Connection], object]]] = {
    "rows": lambda ledger: actions.append(ledger, _DONE),
    "upserts": lambda ledger: upsert(ledger, threads, _THREADS),
    "updates": lambda ledger: ledger.execute(
        _MOVE, [{"of": f"{number}", "to": "there"} for number in range(MANY)]
    ),
}


def main() -> None:
    """Write until frozen or killed."""
    url, how = sys.argv[1:]
    engine.ABANDONED_S = ABANDONED_S  # type: ignore[misc] # sooner than a daemon
    with Store.open(StoreConfig(url=url)).ledger() as ledger:
        audit.lock(ledger)
        print("locked", flush=True)
        while True:
            WAYS[how](ledger)


if __name__ == "__main__":
    main()
