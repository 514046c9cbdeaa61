"""The kill lane: carries revocations and restores out, apart from everything that may be slow.

Slack being down, a long checkpoint, a busy worker or another enforcement point never delays it.
Each process may run one: leases keep them from driving the same point of a trip at once.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from alerting.killswitch import OPEN
from alerting.ports import EnforcementPoint
from monitor.attempts import Attempts, Limits, Outcome
from monitor.ledger import trips
from monitor.store import Store
from monitor.store.engine import STORE_ERRORS, reason

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.5
_WAIT_S: Final = 0.05
_NO_LIMITS: Final[Mapping[str, Limits]] = MappingProxyType({})


class Driver:
    """Drives enforcement points under leases, several at once.

    Parameters
    ----------
    store
        Where the orders stand.
    points
        The points that this process can drive, by name.
    owner
        Names this process in its leases.
    receivers
        Who is told what came of it.
    timeout_s
        How long one attempt may take at a point that has no limits of its own, in seconds.
    limits
        Of the other points, by name.
    on_attempt
        Called after each attempt with its point, its direction and whether it was confirmed.
    """

    def __init__(
        self,
        store: Store,
        points: Mapping[str, EnforcementPoint],
        *,
        owner: str,
        receivers: Sequence[str],
        timeout_s: float,
        limits: Mapping[str, Limits] = _NO_LIMITS,
        on_attempt: Callable[[str, str, bool], None] | None = None,
    ) -> None:
        self._store = store
        self._points = points
        self._owner = owner
        self._receivers = receivers
        self._on_attempt = on_attempt
        self._limits = {name: limits.get(name, Limits(timeout_s)) for name in points}
        self._room_again = threading.Event()
        self._attempts = Attempts(
            points, self._limits, self._settle, lambda: self._room_again.set()
        )
        self._starting = threading.Lock()
        self._settling = threading.Lock()

    def drive_trip(self, trip_id: str, deadline_s: float) -> None:
        """Try every open point of one trip, or wait for whoever is trying it.

        Returns as soon as no point is being tried, or is due to be.

        Parameters
        ----------
        deadline_s
            When to stop waiting, in seconds since the epoch.
        """
        while time.time() < deadline_s:
            with self._store.read() as ledger:
                points = trips.get(ledger, trip_id).points
            now_s = time.time()
            ours = [p for p in points if p.point in self._points and p.state in OPEN]
            leased = [p for p in ours if p.lease_until > now_s]
            due = [p for p in ours if p.due_at <= now_s and p not in leased]
            if not leased and not due:
                return
            if not (due and self.start_due(trip_id)):
                self._attempts.wait(_WAIT_S)

    def look(self) -> None:
        """Start all that is due and has room, and end the probations that are over."""
        with self._store.read() as ledger:
            due = trips.any_due(ledger, time.time(), self._attempts.room())
            over = trips.probation_over(ledger, time.time())
        if due:
            self.start_due()
        if over:
            with self._store.ledger() as ledger:
                trips.end_probation(ledger, time.time())

    def start_due(self, trip_id: str | None = None) -> int:
        """Start what is due, the longest due first, as far as its point has room; how many.

        Raises
        ------
        sqlalchemy.exc.DBAPIError, sqlalchemy.exc.TimeoutError
            If the store cannot be used; a lease that is left then runs out by itself.
        """
        with self._starting:
            room = self._attempts.room()
            with self._store.ledger() as ledger:
                leased = [
                    order
                    for name, limit in room.items()
                    for order in trips.lease_due(
                        ledger,
                        self._owner,
                        time.time(),
                        self._limits[name].lease_s,
                        only=(name,),
                        trip_id=trip_id,
                        limit=limit,
                    )
                ]
            for order in leased:
                self._attempts.start(order)
        return len(leased)

    def wake_by(self, wake: threading.Event) -> None:
        """Set this event whenever an attempt has ended, so that its point has room again."""
        self._room_again = wake

    def drain(self, timeout_s: float | None = None) -> None:
        """Wait for the attempts under way, but for those that hang."""
        self._attempts.drain(timeout_s)

    def _settle(self, leased: trips.Leased, failure: Outcome) -> None:
        order = leased.order
        if self._on_attempt is not None:
            self._on_attempt(leased.point, order.direction, failure is None)
        if failure is None:
            log.info("%s of %r confirmed by %s", order.direction, order.agent_id, leased.point)
        else:
            log.warning(
                "%s of %r by %s: %s", order.direction, order.agent_id, leased.point, failure
            )
        try:
            # One at a time: a storm of them must not crowd the worker out of the ledger.
            with self._settling, self._store.ledger() as ledger:
                trips.settle_point(
                    ledger,
                    leased,
                    error=None if failure is None else str(failure),
                    receivers=self._receivers,
                    now_s=time.time(),
                    retry_after_s=failure.retry_after_s if failure else None,
                )
        except STORE_ERRORS as error:
            # The lease runs out by itself, and the order is tried again.
            log.error("kill lane: store %s: %s", self._store.url, reason(error))


class KillLane(threading.Thread):
    """Drives whatever is due until it is stopped, also what another process ordered."""

    def __init__(self, driver: Driver, store_url: str) -> None:
        super().__init__(name="kill-lane", daemon=True)
        self._driver = driver
        self._store_url = store_url
        self._wake = threading.Event()
        self._stopping = threading.Event()
        driver.wake_by(self._wake)

    def wake(self) -> None:
        """Look at once: something was ordered."""
        self._wake.set()

    def stop(self, timeout_s: float | None = None) -> None:
        """Begin nothing more, and end after the attempts under way."""
        self._stopping.set()
        self._wake.set()
        self.join(timeout_s)

    def run(self) -> None:
        """Look, wait, look again; a store that is down is waited for."""
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                self._driver.look()
            except STORE_ERRORS as error:
                log.error("kill lane: store %s: %s", self._store_url, reason(error))
            except Exception as error:
                # Nothing may end the thread that orders depend on, as when the system gives no more
                # threads for attempts. The text may hold anything: the type alone is said.
                log.error("kill lane: unexpected %s; trying again", type(error).__name__)
            self._wake.wait(LOOK_EVERY_S)
        self._driver.drain()
