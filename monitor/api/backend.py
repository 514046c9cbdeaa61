"""What the routes stand on: the store, and threads so that no answer waits behind a slow order."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final, TypeVar

from sqlalchemy import Connection

from monitor.config import Config
from monitor.errors import TripswitchError
from monitor.store import Store
from monitor.store.engine import STORE_AWAY, reason

T = TypeVar("T")

# Each of them uses the store, and so do the threads that settle what drivers tried: the store's
# engine has connections for all of these at once.
_READERS: Final = 6
_WRITERS: Final = 4
_DRIVERS: Final = 16


class StoreDownError(TripswitchError):
    """The store cannot be reached, or does not answer in time. Says no more to whoever asks."""

    def __init__(self, why: str) -> None:
        super().__init__("the store cannot be reached now; the log of `tripswitch serve` says why")
        self.why = why


class Backend:
    """The store behind threads of three kinds.

    Questions have threads and a time limit of their own; orders become durable on others, and are
    driven on a third kind, where an enforcement point may be waited for.

    Parameters
    ----------
    config
        The settings.
    store
        The store, opened.
    owner
        Names this process in the leases of what it drives.
    """

    def __init__(self, config: Config, store: Store, owner: str) -> None:
        self.config = config
        self.store = store
        self.owner = owner
        self._stack = ExitStack()
        self._readers = self._threads(_READERS, "questions")
        self._writers = self._threads(_WRITERS, "orders")
        self._drivers = self._threads(_DRIVERS, "drives")

    async def read(self, ask: Callable[[Connection, float], T]) -> T:
        """Ask the ledger something; `ask` gets a transaction and the time.

        Raises
        ------
        StoreDownError
            If the store cannot be reached, or has not answered in time.
        """

        def answer() -> T:
            with self.store.read() as ledger:
                return ask(ledger, time.time())

        future = self._readers.submit(_reached, answer)
        try:
            return await asyncio.wait_for(
                asyncio.wrap_future(future), self.config.serve.store_timeout_s
            )
        except TimeoutError:
            raise StoreDownError("no answer in time") from None

    async def write(self, do: Callable[[Connection, float], T]) -> T:
        """Do something in one ledger transaction.

        Raises
        ------
        StoreDownError
            If the store cannot be reached.
        """

        def done(_config: Config, store: Store) -> T:
            with store.ledger() as ledger:
                return do(ledger, time.time())

        return await self.order(done)

    async def order(self, do: Callable[[Config, Store], T]) -> T:
        """Make an order durable by a function that opens its own transaction; likewise."""
        return await _settled(self._writers.submit(_reached, self._with_store(do)))

    async def drive(self, do: Callable[[Config, Store], T]) -> T:
        """Do what waits for enforcement points; likewise."""
        return await _settled(self._drivers.submit(_reached, self._with_store(do)))

    def _with_store(self, do: Callable[[Config, Store], T]) -> Callable[[], T]:
        return lambda: do(self.config, self.store)

    def close(self) -> None:
        """End the threads once what they do is done."""
        self._stack.close()

    def _threads(self, count: int, name: str) -> ThreadPoolExecutor:
        threads = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._stack.callback(threads.shutdown, wait=False, cancel_futures=True)
        return threads


async def _settled(future: "Future[T]") -> T:
    """Whoever asked may leave meanwhile: what was begun is carried out all the same."""
    return await asyncio.shield(asyncio.wrap_future(future))


def _reached(do: Callable[[], T]) -> T:
    try:
        return do()
    except STORE_AWAY as error:
        raise StoreDownError(reason(error)) from None
