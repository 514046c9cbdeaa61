"""Opens the store: one PostgreSQL database, or two SQLite files side by side."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from monitor.config import StoreConfig, state_dir
from monitor.errors import TripswitchError
from monitor.store.migrations import upgrade
from monitor.store.turns import Turns

BUSY_TIMEOUT_S: Final = 5.0
ABANDONED_S: Final = 20.0
"""A transaction that rests so long is of a process that froze; others wait for what it locked."""
LOCK_WAIT_S: Final = 15.0
"""A wait for a lock ends after so long, and the daemon tries again. Less than `ABANDONED_S`: else,
of a process that froze, threads that wait would come into the lock one by one, and rest with it."""


STORE_AWAY: Final = (OperationalError, InterfaceError, PoolTimeoutError)
"""What a store raises that cannot be reached, or has no connection free: later it may work."""
STORE_ERRORS: Final = (DBAPIError, PoolTimeoutError)
"""Whatever a store raises; `reason` makes one line of it."""

_PATIENCE: Final = {
    "connect_timeout": 10,  # s
    "keepalives_idle": 10,  # s without a word until the host is asked whether it is there,
    "keepalives_interval": 5,  # s until it is asked again,
    "keepalives_count": 3,  # and so often
    "tcp_user_timeout": 20_000,  # ms until it has to have taken what was sent
}
"""A host that vanished says nothing, and Linux by itself waits for it for 15 minutes to two hours.
That of a database which is slow, or frozen, still answers: there a query is waited for."""

_CONNECTIONS_KEPT: Final = 5
_CONNECTIONS_AT_MOST: Final = 50
"""More than one process has threads that use the store at once, so that none waits for another's:
`serve` has 26 of its own, and one for each of its 16 drivers that settles what a point answered."""


class StoreError(TripswitchError):
    """The store cannot be opened or used; the message says which store and why."""


class Store:
    """The ledger and the state, each behind its own engine.

    Attributes
    ----------
    url
        Where the ledger is, without any password, for people to read.
    is_default
        Whether this is the embedded default, named by nobody.
    """

    def __init__(self, ledger: Engine, state: Engine, *, is_default: bool) -> None:
        self._ledger = ledger
        self._state = state
        self.is_default = is_default
        self.url = ledger.url.render_as_string(hide_password=True)
        self.is_sqlite = ledger.dialect.name == "sqlite"
        self._closed = False
        self._turns = Turns(BUSY_TIMEOUT_S)

    @classmethod
    def open(cls, config: StoreConfig) -> "Store":
        """Open the configured store, bringing its tables up to this version's.

        Raises
        ------
        StoreError
            If it cannot be reached, refuses the password, or was written by a newer version.
        """
        url = _url(config)
        with contextlib.ExitStack() as opened:
            try:
                if url.get_backend_name() == "sqlite":
                    ledger = _sqlite(url, synchronous="FULL")
                    opened.callback(ledger.dispose)
                    state = _sqlite(_beside(url), synchronous="NORMAL")
                    opened.callback(state.dispose)
                else:
                    ledger = state = _engine(url, pool_pre_ping=True, connect_args=_patience(url))
                    opened.callback(ledger.dispose)
                    event.listen(ledger, "connect", _end_what_lasts)
                    # Rows are inserted by statements of many, and what is no insert one by one.
                    ledger.dialect.use_insertmanyvalues_wo_returning = True
                    event.listen(ledger, "do_executemany", _one_by_one)
                upgrade(ledger, "ledger")
                upgrade(state, "state")
            except (DBAPIError, OSError, TripswitchError) as error:
                shown = url.render_as_string(hide_password=True)
                todo = (
                    "check that this user may write there, and that the disk has room"
                    if url.get_backend_name() == "sqlite"
                    else "check store.url, and that the database runs and takes this user"
                )
                said = reason(error)
                if not isinstance(error, TripswitchError):  # which says itself what to do
                    said = f"{said}; {todo}"
                raise StoreError(f"store {shown}: {said}") from None
            opened.pop_all()
        return cls(ledger, state, is_default=config.url is None)

    @contextlib.contextmanager
    def ledger(self, *, first: bool = False) -> Iterator[Connection]:
        """One ledger transaction: commits at the end, rolls back on an error.

        Parameters
        ----------
        first
            On SQLite, where one writes at a time: before other threads of this process that wait.

        Raises
        ------
        sqlalchemy.exc.DBAPIError, sqlalchemy.exc.TimeoutError
            Whatever the database says, or that no connection came free: `STORE_ERRORS`.
        """
        turn = self._turns.turn(first=first) if self.is_sqlite else contextlib.nullcontext()
        with turn, self._transaction(self._ledger) as connection:
            yield connection

    def read(self) -> AbstractContextManager[Connection]:
        """A ledger transaction that only reads: on SQLite it waits for no writer, delays none."""
        return self._transaction(self._ledger, read_only=True)

    def snapshot(self) -> AbstractContextManager[Connection]:
        """Like `read`, and every statement sees the ledger as it was at the first."""
        if self.is_sqlite:  # there a transaction that reads is one by itself
            return self.read()
        return self._transaction(self._ledger, read_only=True, isolation_level="REPEATABLE READ")

    def state(self) -> AbstractContextManager[Connection]:
        """One state transaction, likewise."""
        return self._transaction(self._state)

    def read_state(self) -> AbstractContextManager[Connection]:
        """A state transaction that only reads, likewise."""
        return self._transaction(self._state, read_only=True)

    def lock_path(self) -> Path | None:
        """For SQLite, the file on which the daemon holds its lock: one daemon per store."""
        database = self._ledger.url.database
        return Path(f"{database}.lock") if self.is_sqlite and database else None

    def close(self) -> None:
        """Close all connections; those in use by other threads as soon as these are done."""
        self._closed = True
        self._ledger.pool.dispose()
        self._state.pool.dispose()

    @contextlib.contextmanager
    def _transaction(self, engine: Engine, **options: Any) -> Iterator[Connection]:
        try:
            with engine.connect().execution_options(**options) as connection, connection.begin():
                yield connection
        finally:
            if self._closed:  # the connection came back after the others were closed
                engine.pool.dispose()


def _end_what_lasts(connection: Any, _record: Any) -> None:
    connection.execute(f"SET idle_in_transaction_session_timeout = '{ABANDONED_S}s'")
    connection.execute(f"SET lock_timeout = '{LOCK_WAIT_S}s'")
    connection.commit()


def _one_by_one(cursor: Any, statement: str, rows: Sequence[Any], _context: Any) -> bool:
    """Carry a statement out for each row, where psycopg would send all of them as one pipeline.

    If a process freezes before it has sent the end of one, its transaction does not count as one
    that rests, and keeps what it has locked for as long as the process is frozen.
    """
    for row in rows:
        cursor.execute(statement, row)
    return True


def reason(error: BaseException) -> str:
    """What a database said, in one line."""
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split()) or type(cause).__name__


def _url(config: StoreConfig) -> URL:
    if config.url is None:
        return URL.create("sqlite", database=str(state_dir() / "ledger.db"))
    url = make_url(config.url)
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if config.password is not None:
        url = url.set(password=config.password.get_secret_value())
    return url


def _patience(url: URL) -> dict[str, int]:
    """How long a connection is waited for, but for what the store's URL says itself."""
    return {name: value for name, value in _PATIENCE.items() if name not in url.query}


def _beside(url: URL) -> URL:
    """The state file's URL: `ledger.db` -> `ledger-state.db`."""
    path = Path(url.database or "ledger.db")
    return url.set(database=str(path.with_name(f"{path.stem}-state{path.suffix}")))


def _engine(url: URL, **options: Any) -> Engine:
    """With a pool that keeps some connections, and opens more while they are needed."""
    more = _CONNECTIONS_AT_MOST - _CONNECTIONS_KEPT
    return create_engine(url, pool_size=_CONNECTIONS_KEPT, max_overflow=more, **options)


def _sqlite(url: URL, *, synchronous: str) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise StoreError("SQLite in memory would forget everything; name a file")
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = _engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin on its own
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # A deferred transaction that turns into a write fails at once, whatever the timeout.
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine
