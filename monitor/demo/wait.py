"""Waits for what must happen, while daemon and fleet live."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from monitor.demo.stage import DemoError, Stage

_LOOK_EVERY_S: Final = 0.1

FoundT = TypeVar("FoundT")


class Wait:
    """Looks again and again, and sees at once when there is nothing left to wait for.

    Parameters
    ----------
    stage
        Whose daemon must live meanwhile.
    fleet_run
        Must not end meanwhile, either.
    """

    def __init__(self, stage: Stage, fleet_run: Future[Any] | None = None) -> None:
        self._stage = stage
        self._fleet_run = fleet_run

    def until(self, look: Callable[[], FoundT | None], within_s: float, what: str) -> FoundT:
        """What `look` finds at last.

        Raises
        ------
        DemoError
            If it finds nothing in time, or daemon or fleet ended.
        """
        deadline_s = time.monotonic() + within_s
        while (found := look()) is None:
            if time.monotonic() > deadline_s:
                raise DemoError(
                    f"waited {within_s:.0f} s in vain for {what}; see {self._stage.log}"
                )
            self._pause()
        return found

    def rest(self, seconds: float) -> None:
        """Let some time pass."""
        deadline_s = time.monotonic() + seconds
        while time.monotonic() < deadline_s:
            self._pause()

    def _pause(self) -> None:
        self._stage.check()
        if self._fleet_run is not None and self._fleet_run.done():
            self._fleet_run.result()  # raises what ended it
            raise DemoError("the simulated fleet ended before the play did")
        time.sleep(_LOOK_EVERY_S)
