"""The kill lane: carries revocations and restores out, apart from everything that may be slow.

Slack being down, a long checkpoint or a busy worker never delays it. Each process may run one:
leases keep them from driving the same point at once.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy.exc import DBAPIError

from alerting.killswitch import OPEN
from alerting.ports import EnforcementPoint, RevokeError
from monitor.errors import TripswitchError
from monitor.ledger import trips
from monitor.store import Store
from monitor.store.engine import reason

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.5
_WAIT_S: Final = 0.05
_SPARE_S: Final = 2.0
"""An attempt may overrun its limit by so much and still ends within its lease."""


class Driver:
    """Drives enforcement points under leases.

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
        How long one attempt at one point may take, in seconds.
    """

    def __init__(
        self,
        store: Store,
        points: Mapping[str, EnforcementPoint],
        *,
        owner: str,
        receivers: Sequence[str],
        timeout_s: float,
    ) -> None:
        self._store = store
        self._points = points
        self._owner = owner
        self._receivers = receivers
        self._timeout_s = timeout_s

    def drive_next(self, trip_id: str | None = None) -> bool:
        """Carry out the order that is due longest; False if none is due.

        Raises
        ------
        sqlalchemy.exc.DBAPIError
            If the store cannot be used; a lease that is left then runs out by itself.
        """
        lease_s = 2 * self._timeout_s + _SPARE_S
        with self._store.ledger() as ledger:
            leased = trips.lease_due(
                ledger, self._owner, time.time(), lease_s, only=self._points, trip_id=trip_id
            )
        for order in leased:
            error = self._attempt(order)
            with self._store.ledger() as ledger:
                trips.settle_point(
                    ledger, order, error=error, receivers=self._receivers, now_s=time.time()
                )
        return bool(leased)

    def drive_trip(self, trip_id: str, deadline_s: float) -> None:
        """Try every open point of one trip once, or wait for whoever is trying it.

        Parameters
        ----------
        deadline_s
            When to stop waiting, in seconds since the epoch.
        """
        while time.time() < deadline_s:
            if self.drive_next(trip_id):
                continue
            with self._store.read() as ledger:
                points = trips.get(ledger, trip_id).points
            ours = [p for p in points if p.point in self._points and p.state in OPEN]
            now_s = time.time()
            if not any(p.lease_until > now_s or p.due_at <= now_s for p in ours):
                return
            time.sleep(_WAIT_S)

    def look(self) -> None:
        """Carry out all that is due, and end the probations that are over."""
        with self._store.read() as ledger:
            due = trips.any_due(ledger, time.time(), self._points)
            over = trips.probation_over(ledger, time.time())
        while due:
            due = self.drive_next()
        if over:
            with self._store.ledger() as ledger:
                trips.end_probation(ledger, time.time())

    def _attempt(self, leased: trips.Leased) -> str | None:
        """Tell the point; why it did not confirm, or None if it did."""
        order = leased.order
        if time.time() + self._timeout_s + _SPARE_S > leased.until_s:
            return "this process stood still for too long to try it safely"
        try:
            self._points[leased.point].apply(order, self._timeout_s)
        except (RevokeError, TripswitchError) as error:
            what = str(error)
        except Exception as error:
            # One faulty point must not end the lane. Its text is left out: it may hold a secret.
            what = f"failed with {type(error).__name__}"
        else:
            log.info("%s of %r confirmed by %s", order.direction, order.agent_id, leased.point)
            return None
        log.warning("%s of %r by %s: %s", order.direction, order.agent_id, leased.point, what)
        return what


class KillLane(threading.Thread):
    """Drives whatever is due until it is stopped, also what another process ordered."""

    def __init__(self, driver: Driver, store_url: str) -> None:
        super().__init__(name="kill-lane", daemon=True)
        self._driver = driver
        self._store_url = store_url
        self._wake = threading.Event()
        self._stopping = threading.Event()

    def wake(self) -> None:
        """Look at once: something was ordered."""
        self._wake.set()

    def stop(self, timeout_s: float | None = None) -> None:
        """End after the order at hand."""
        self._stopping.set()
        self._wake.set()
        self.join(timeout_s)

    def run(self) -> None:
        """Look, wait, look again; a store that is down is waited for."""
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                self._driver.look()
            except DBAPIError as error:
                log.error("kill lane: store %s: %s", self._store_url, reason(error))
            self._wake.wait(LOOK_EVERY_S)
