"""The store and the place that it has; and the clock of its database beside ours."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from monitor.checkup.clock import clock
from monitor.checkup.verdict import Verdict, failed, ok, warning
from monitor.config import Config
from monitor.sources.log_file import log_path
from monitor.store import Store, StoreError, inventory
from monitor.store.engine import reason

_LEAST_FREE_BYTES: Final = 1 << 30


def check_store(config: Config) -> Iterator[Verdict]:
    """Open it, write to it, and look at its room and its clock."""
    try:
        store = Store.open(config.store)
    except StoreError as error:
        yield failed(
            "store", str(error), "check store.url, its password, and that it can be reached"
        )
        return
    with closing(store):
        about = f"store {store.url}"
        try:
            with store.ledger() as ledger:
                ledger.execute(text("SELECT 1"))  # a write lock was had
            with store.read_state() as state:
                used = inventory.was_used(state)
        except DBAPIError as error:
            yield failed(about, reason(error), "see the database's own log, and its disk")
            return
        yield ok(about, "can be written to" + ("" if used else "; no daemon has used it yet"))
        if store.is_sqlite:
            yield from _check_room(store)
        else:
            yield _check_clock(store)


def check_log(config: Config) -> Iterator[Verdict]:
    """The event log, where that is the source."""
    path = log_path(config.source)
    about = f"log {path}"
    if not path.exists():
        yield warning(
            about, "is not there yet", "nothing, if its writer has not begun; else set source.path"
        )
    elif not os.access(path, os.R_OK) or not path.is_file():
        yield failed(about, "cannot be read", "give the daemon's user the right to read it")
    else:
        yield ok(about, f"{path.stat().st_size:,} bytes")
    nearest = next(place for place in (path.parent, *path.parent.parents) if place.exists())
    if not os.access(nearest, os.W_OK):
        yield failed(
            about,
            f"what is refused cannot be kept beside it: {nearest} cannot be written to",
            "give the daemon's user the right to write there",
        )


def _check_room(store: Store) -> Iterator[Verdict]:
    lock = store.lock_path()
    assert lock is not None
    free = shutil.disk_usage(lock.parent).free
    about = f"disk of {lock.parent}"
    if free < _LEAST_FREE_BYTES:
        yield warning(about, f"{free >> 20:,} MiB are free", "make room: a full disk stops reading")
    else:
        yield ok(about, f"{free >> 30:,} GiB are free")


def _check_clock(store: Store) -> Verdict:
    with store.read() as ledger:
        before_s = time.time()
        theirs_s = float(
            ledger.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one()
        )
        ours_s = (before_s + time.time()) / 2
    return clock(theirs_s - ours_s, "the database's")
