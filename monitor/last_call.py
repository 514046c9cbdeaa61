"""The last call: a process that was asked to stop ends in time, whatever it waits for."""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

STOP_WITHIN_S: Final = 10.0
"""So long after it was asked the daemon has ended; service managers begin to kill then."""
_LEAVE_AFTER_S: Final = 8.5
_SAY_WITHIN_S: Final = 0.5


class LastCall:
    """Ends the process some time after `call`, unless it has ended by itself.

    Nothing is lost by that: every state that the process may be left in is one that a crash could
    leave, and the next start goes on from the last checkpoint.

    Parameters
    ----------
    after_s
        How long an orderly stop may take.
    leave
        Ends the process at once.
    """

    def __init__(
        self, after_s: float = _LEAVE_AFTER_S, leave: Callable[[int], object] = os._exit
    ) -> None:
        self._after_s = after_s
        self._leave = leave
        self._called = threading.Event()
        # Started now: a signal handler must not, as it may interrupt somebody who starts one.
        threading.Thread(target=self._wait, name="last-call", daemon=True).start()

    def call(self) -> None:
        """The process was asked to stop; may be called from a signal handler, and again."""
        self._called.set()

    def _wait(self) -> None:
        self._called.wait()
        threading.Event().wait(self._after_s)
        try:
            # On a thread of its own: whoever reads what is said may be what does not answer.
            saying = threading.Thread(target=self._say, name="last-words", daemon=True)
            saying.start()
            saying.join(_SAY_WITHIN_S)
        finally:
            self._leave(0)

    def _say(self) -> None:
        log.warning(
            "stopping has taken %g s, something does not answer: ended as after a crash; the next "
            "start goes on from the last checkpoint",
            self._after_s,
        )
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):  # nobody reads it any more
                stream.flush()
