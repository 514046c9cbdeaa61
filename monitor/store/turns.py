"""Turns: which thread of a process writes next, where the database would have each of them poll."""

import contextlib
import threading
from collections import deque
from collections.abc import Iterator


class Turns:
    """Lets one writer in at a time, by order of arrival.

    SQLite takes one writer at a time, and who waits looks again after up to a tenth of a second, in
    no order. So among many threads one may wait for seconds while others come and go. Among
    processes that stays so.

    Parameters
    ----------
    patience_s
        Who has waited for so long goes on without a turn: then the database decides.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Event] = deque()

    @contextlib.contextmanager
    def turn(self, *, first: bool = False) -> Iterator[None]:
        """Wait for one's turn, and hand it on in the end.

        Parameters
        ----------
        first
            Come before all that wait by now: for who keeps a whole source waiting.
        """
        ours = self._wait(first)
        try:
            yield
        finally:
            if ours:
                self._hand_on()

    def _wait(self, first: bool) -> bool:
        """Whether it became our turn."""
        with self._lock:
            if not self._taken:
                self._taken = True
                return True
            called = threading.Event()
            (self._waiting.appendleft if first else self._waiting.append)(called)
        try:
            called.wait(self._patience_s)
        except BaseException:  # an interrupt: whoever comes after us must not wait for us
            if self._leave(called):
                self._hand_on()
            raise
        return self._leave(called)

    def _leave(self, called: threading.Event) -> bool:
        """Wait no longer; whether it is our turn by now."""
        with self._lock:
            if called.is_set():
                return True
            self._waiting.remove(called)
            return False

    def _hand_on(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False
