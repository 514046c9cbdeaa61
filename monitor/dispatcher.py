"""The dispatcher: takes due deliveries from the outbox and has the receivers tell them.

One thread a receiver, so that none delays another. At least once: a delivery is marked as sent
after the receiver took it, and a crash in between sends it again under the same key. While the
store cannot be reached nothing is lost, only late.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from pydantic import ValidationError

from alerting.ports import DeliveryError, Receiver
from alerting.render import clean
from monitor.ledger import outbox, threads
from monitor.ledger.outbox import Delivery
from monitor.store import Store
from monitor.store.engine import STORE_ERRORS, reason

log = logging.getLogger(__name__)

FIRST_BACKOFF_S: Final = 1.0
MAX_BACKOFF_S: Final = 300.0
MAX_REST_S: Final = 900.0
"""However long a receiver asks to be left alone, it is tried again after this."""
MAX_BLIND_S: Final = 10.0
"""How long at most until the store is asked again after it could not be used."""
POLL_S: Final = 1.0
"""How soon a delivery is seen that another process put into the outbox."""


def backoff_s(attempts: int, jitter: float) -> float:
    """How long to wait after the nth failed attempt, in seconds.

    Parameters
    ----------
    attempts
        How many attempts failed, from 1.
    jitter
        From 0 to 1: where in the upper half of the doubling wait to fall, so that many that
        failed together do not come back together.
    """
    longest = min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(attempts, 30))
    return longest * (0.5 + 0.5 * jitter)


class Dispatcher:
    """Drives the outbox until it is stopped.

    Parameters
    ----------
    store
        Where the outbox is.
    receivers
        Who tells; deliveries to any other name wait for a process that has it.
    fallback
        Names of those who get what all its receivers have refused for good.
    lease_s
        How long nobody else takes what is being sent, in seconds: longer than any receiver's
        time limit. A crash while sending delays that delivery by as much.
    poll_s
        How often to look for deliveries of other processes, in seconds.
    clock
        The time, in seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        receivers: Sequence[Receiver],
        *,
        fallback: Sequence[str] = (),
        lease_s: float = 30.0,
        poll_s: float = POLL_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._lanes = [
            _Lane(store, receiver, fallback, lease_s, poll_s, clock) for receiver in receivers
        ]

    def fall_back_on(self, receivers: Sequence[str]) -> None:
        """Tell these from now on what another one has refused for good."""
        for lane in self._lanes:
            lane.fallback = receivers

    def start(self) -> None:
        """Start telling, in threads of its own."""
        for lane in self._lanes:
            lane.start()

    def wake(self) -> None:
        """Look now: something was put into the outbox, and committed."""
        for lane in self._lanes:
            lane.wake.set()

    def stop(self, timeout_s: float) -> None:
        """Tell what is due at this moment, but for at most `timeout_s`, then close the receivers.

        What could not be told stays in the outbox for the next start.
        """
        end_s = time.monotonic() + timeout_s
        for lane in self._lanes:
            lane.end_s = end_s
            lane.wake.set()
        for lane in self._lanes:
            if lane.is_alive():
                lane.join(max(0.0, end_s - time.monotonic()))
            lane.receiver.close()


class _Lane(threading.Thread):
    """The thread of one receiver. A daemon: a receiver that hangs never keeps the process."""

    def __init__(
        self,
        store: Store,
        receiver: Receiver,
        fallback: Sequence[str],
        lease_s: float,
        poll_s: float,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(name=f"dispatch-{receiver.name}", daemon=True)
        self.receiver = receiver
        self.wake = threading.Event()
        self.end_s: float | None = None
        """Set to stop, on the monotonic clock: when to leave even if more is due."""
        self._store = store
        self.fallback = fallback
        self._lease_s = lease_s
        self._poll_s = poll_s
        self._clock = clock
        self._rests_until_s = 0.0
        self._failures = 0
        """Rounds that failed in a row without having reached the receiver."""

    def run(self) -> None:
        while True:
            end_s = self.end_s  # read first: the last round must begin after the stop was asked
            wait_s = self._round()
            if end_s is not None and (wait_s > 0 or time.monotonic() >= end_s):
                return
            self.wake.wait(wait_s)
            self.wake.clear()

    def _round(self) -> float:
        """Tell at most one delivery; returns how long to wait before the next, in seconds."""
        try:
            told = self._tell_next()
        except STORE_ERRORS as error:
            return self._failed(f"the store cannot be used: {reason(error)}")
        except Exception as error:
            # Nothing may end the thread that alerts depend on. Only the type is said, for the
            # text of an error that nobody foresaw may hold anything.
            return self._failed(f"unexpected {type(error).__name__}")
        self._failures = 0
        return 0.0 if told else self._poll_s

    def _failed(self, why: str) -> float:
        self._failures += 1
        wait_s = min(backoff_s(self._failures, _jitter()), MAX_BLIND_S)
        log.warning("%s: %s; next look in %.0f s", self.receiver.name, why, wait_s)
        return wait_s

    def _tell_next(self) -> bool:
        now_s = self._clock()
        if now_s < self._rests_until_s:
            return False
        with self._store.ledger() as connection:
            taken = outbox.take_due(connection, [self.receiver.name], now_s, self._lease_s, 1)
        for delivery in taken:
            self._tell(delivery)
        return bool(taken)

    def _tell(self, delivery: Delivery) -> None:
        try:
            message = delivery.message()
        except ValidationError:
            self._give_up(delivery, "its message cannot be read; another version wrote it")
            return
        thread = message.thread
        with self._store.read() as connection:
            place = threads.place_of(connection, self.receiver.name, thread) if thread else None
        try:
            told_at = self.receiver.send(
                message, delivery.delivery_id, place, attempt=delivery.attempts
            )
        except DeliveryError as error:
            if error.retryable:
                self._put_off(delivery, error.reason, error.retry_after_s)
            else:
                self._give_up(delivery, error.reason)
        except Exception as error:
            self._put_off(delivery, f"unexpected {type(error).__name__}", None)
        else:
            with self._store.ledger() as connection:
                now_s = self._clock()
                outbox.mark_sent(connection, delivery, now_s)
                if thread and told_at is not None and told_at != place:
                    threads.keep(connection, self.receiver.name, thread, told_at, now_s)

    def _put_off(self, delivery: Delivery, why: str, retry_after_s: float | None) -> None:
        now_s = self._clock()
        if retry_after_s is None:
            wait_s = backoff_s(delivery.attempts, _jitter())
        else:
            wait_s = min(retry_after_s, MAX_REST_S)
            self._rests_until_s = now_s + wait_s
        log.warning(
            "%s did not take delivery %s (attempt %d): %s; again in %.0f s",
            self.receiver.name,
            delivery.delivery_id,
            delivery.attempts,
            clean(why),
            wait_s,
        )
        with self._store.ledger() as connection:
            outbox.mark_retry(connection, delivery, now_s + wait_s, why)

    def _give_up(self, delivery: Delivery, why: str) -> None:
        log.error(
            "%s will never take delivery %s, given up: %s",
            self.receiver.name,
            delivery.delivery_id,
            clean(why),
        )
        with self._store.ledger() as connection:
            outbox.mark_dead(connection, delivery, self._clock(), why, self.fallback)


def _jitter() -> float:
    return random.random()  # noqa: S311 - spreads retries, guards nothing
