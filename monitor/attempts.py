"""Attempts at enforcement points: each on threads of its own, at most so many at a point at once.

A point that is slow, or ignores its time limit, holds nobody else up. What overstays its limit is
reported as failed and its thread is left behind; it keeps its place among the point's attempts,
and its order is reported once more when it comes back, so that the present order is sent again
behind it. Until then no restore of that agent is sent to that point, for the revocation that
hangs there could land behind it; a revocation is never kept waiting.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from alerting.killswitch import Order
from alerting.ports import EnforcementPoint, RevokeError
from monitor.errors import TripswitchError
from monitor.ledger.points import Leased

log = logging.getLogger(__name__)

SPARE_S: Final = 2.0
"""An attempt may overrun its limit by so much and still ends within its lease."""
_GRACE_S: Final = 1.0
_LEAST_VERIFY_S: Final = 0.5

Outcome = RevokeError | None
"""Why a point did not confirm; None if it did."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one point may take."""

    timeout_s: float
    """Of one attempt, the look whether it took effect included."""
    max_parallel: int = 8
    """Attempts at once."""

    @property
    def lease_s(self) -> float:
        """For how long an order is leased: an attempt, and as long again to begin it."""
        return 2 * self.timeout_s + SPARE_S


class Attempts:
    """The attempts of this process that have not ended.

    Parameters
    ----------
    points, limits
        By name, the same names in both.
    settle
        Reports what came of a leased order. Called from several threads; must not raise.
    on_end
        Called when there is room again.
    """

    def __init__(
        self,
        points: Mapping[str, EnforcementPoint],
        limits: Mapping[str, Limits],
        settle: Callable[[Leased, Outcome], None],
        on_end: Callable[[], None],
    ) -> None:
        self._points = points
        self._limits = limits
        self._settle = settle
        self._on_end = on_end
        self._running: dict[str, Leased] = {}
        self._overdue: set[str] = set()
        self._changed = threading.Condition()

    def room(self) -> dict[str, int]:
        """How many more orders each point can take now; those that can take none are left out.

        A point at which nothing but overdue attempts is left takes one at a time, to refuse it:
        then everybody can read why its orders do not go on.
        """
        with self._changed:
            taken = dict.fromkeys(self._points, 0)
            for leased in self._running.values():
                taken[leased.point] += 1
            free = {
                name: 1 if self._is_stuck(name) else self._limits[name].max_parallel - count
                for name, count in taken.items()
            }
        return {name: count for name, count in free.items() if count > 0}

    def start(self, leased: Leased) -> None:
        """Begin one. It settles by itself.

        Raises
        ------
        RuntimeError
            If the system gives no more threads. The order's lease then runs out by itself.
        """
        with self._changed:
            refused = self._refusal(leased)
            self._running[leased.lease] = leased
        name = f"attempt at {leased.point}"
        attempt = threading.Thread(target=self._run, args=(leased, refused), name=name, daemon=True)
        try:
            attempt.start()
        except RuntimeError:
            self._end(leased)  # nobody else would, and the point would have less room for ever
            raise

    def wait(self, timeout_s: float) -> None:
        """Return when an attempt ends, or when the time is up."""
        with self._changed:
            self._changed.wait(timeout_s)

    def drain(self, timeout_s: float | None = None) -> None:
        """Wait for all attempts but the overdue ones."""
        with self._changed:
            self._changed.wait_for(lambda: self._running.keys() <= self._overdue, timeout_s)

    def _run(self, leased: Leased, refused: Outcome) -> None:
        try:
            if refused is not None:
                self._settle(leased, refused)
            else:
                self._supervise(leased)
        finally:
            self._end(leased)
            self._on_end()

    def _end(self, leased: Leased) -> None:
        with self._changed:
            del self._running[leased.lease]
            self._overdue.discard(leased.lease)
            self._changed.notify_all()

    def _supervise(self, leased: Leased) -> None:
        """Run the attempt on a thread of its own, for nothing can end a call that hangs."""
        timeout_s = self._limits[leased.point].timeout_s
        ended: queue.SimpleQueue[Outcome] = queue.SimpleQueue()

        def call() -> None:
            ended.put(carry_out(self._points[leased.point], leased.order, timeout_s))

        threading.Thread(target=call, name=f"call of {leased.point}", daemon=True).start()
        try:
            self._settle(leased, ended.get(timeout=timeout_s + _GRACE_S))
        except queue.Empty:
            with self._changed:
                self._overdue.add(leased.lease)
            self._settle(leased, RevokeError(f"ignores its limit of {timeout_s:g} s and hangs"))
            with self._changed:
                self._changed.notify_all()
            ended.get()
            self._settle(leased, RevokeError("came back too late"))

    def _refusal(self, leased: Leased) -> Outcome:
        """Why this order must not be sent now; None if it may be."""
        name, order = leased.point, leased.order
        if time.time() + self._limits[name].timeout_s + SPARE_S > leased.until_s:
            return RevokeError("this process stood still for too long to try it safely")
        if self._is_stuck(name):
            count = self._limits[name].max_parallel
            return RevokeError(f"all {count} attempts at once that it may have hang")
        others = (o for o in self._running.values() if o.point == name)
        if order.direction == "restore" and any(
            other.order.agent_id == order.agent_id for other in others
        ):
            return RevokeError("an earlier order about this agent still hangs there")
        return None

    def _is_stuck(self, name: str) -> bool:
        overdue = sum(self._running[lease].point == name for lease in self._overdue)
        return overdue >= self._limits[name].max_parallel


def carry_out(point: EnforcementPoint, order: Order, timeout_s: float) -> Outcome:
    """Tell a point an order, and ask it afterwards whether it is in force, if it can be asked."""
    deadline = time.monotonic() + timeout_s
    tell = point.revoke if order.direction == "revoke" else point.restore
    try:
        tell(order, timeout_s)
        left_s = deadline - time.monotonic()
        if point.verify(order, max(_LEAST_VERIFY_S, left_s)) is False:
            return RevokeError(f"answered that the {order.direction} is done, but it is not")
    except RevokeError as error:
        return error
    except TripswitchError as error:
        return RevokeError(str(error))
    except BaseException as error:  # a plugin may even try to exit
        # One faulty point must not end the lane. Its text is left out: it may hold a secret.
        return RevokeError(f"failed with {type(error).__name__}")
    return None


def close_point(name: str, point: EnforcementPoint) -> None:
    """Close a point. If that fails, what was done there stands: it is logged, by its type alone."""
    try:
        point.close()
    except (Exception, SystemExit) as error:
        log.warning("point %s cannot be closed: %s", name, type(error).__name__)
