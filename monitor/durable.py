"""What must be done before the worker goes on: tried until it is, while the source is held."""

import logging
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from monitor.dead_letter import DeadLetterError
from monitor.pulse import Pulse
from monitor.sources import Source, SourceAwayError
from monitor.store import Store
from monitor.store.engine import STORE_ERRORS, reason
from monitor.store.shards import ShardLostError

log = logging.getLogger(__name__)

RETRY_S: Final = 1.0

ResultT = TypeVar("ResultT")


class StoppedError(Exception):
    """The worker was asked to stop while the store, or Kafka, could not be reached."""


def durably(
    act: Callable[[], ResultT], source: Source, store: Store, pulse: Pulse, stop: threading.Event
) -> ResultT | None:
    """Do it; while the store or Kafka fails, hold the source, keep polling, and do it again.

    Returns
    -------
    ResultT or None
        None if the shard that it is about was lost.

    Raises
    ------
    StoppedError
        If the worker was asked to stop meanwhile.
    """
    held = False
    try:
        while True:
            try:
                return act()
            except ShardLostError:
                return None  # the shard is dropped; what is left of the batch has its turn
            except STORE_ERRORS as error:
                pulse.failing = reason(error)
                log.error("store %s: %s; trying again", store.url, pulse.failing)
            except (DeadLetterError, SourceAwayError) as error:
                log.error("%s; trying again", error)
            if not held:
                source.hold(True)
                held = True
            pulse.turn()
            source.poll(RETRY_S)
            if stop.wait(RETRY_S):
                raise StoppedError
    finally:
        pulse.failing = None
        if held:
            source.hold(False)
