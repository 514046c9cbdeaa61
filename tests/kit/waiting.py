"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable
from typing import Final

WAIT_S: Final = 60.0
"""Far longer than anything takes: machines are shared, and busy."""


def until(true: Callable[[], object], within_s: float = WAIT_S) -> None:
    """Return as soon as it is true."""
    end_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end_s, "it did not come true"
        time.sleep(0.01)
