"""The ledger as health asks it: aside, for a query may hang as long as a database is frozen."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Final, TypeVar

ANSWER_WITHIN_S: Final = 10.0
"""A database that runs has answered by then."""

ResultT = TypeVar("ResultT")


class SilentError(Exception):
    """There is no answer yet; the message says for how long."""


class Aside:
    """Does what may hang on a thread of its own, one thing at a time."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "health-ledger")
        self._under_way: Future[Any] | None = None
        self._began_s = 0.0

    def ask(self, question: Callable[[], ResultT]) -> ResultT:
        """The answer, or whatever is raised instead of one.

        Raises
        ------
        SilentError
            If there is none in time. It is passed over then, and until it comes nothing is asked.
        """
        if self._under_way is None or self._under_way.done():
            self._began_s = time.monotonic()
            asked = self._thread.submit(question)
            self._under_way = asked
            wait([asked], ANSWER_WITHIN_S)
            if asked.done():
                return asked.result()
        raise SilentError(f"no answer for {time.monotonic() - self._began_s:.0f} s")
