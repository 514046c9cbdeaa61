"""Break glass: a kill while the store cannot be reached.

Every other enforcement point is told directly, once, and a local journal keeps what was done. The
order's number comes from the clock in milliseconds, which no count of the ledger comes near, so
that points take it as later than whatever they were told before. `audit import` then numbers the
agent's orders on from there; until it was run, points refuse a counted order, a restore too.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from alerting.killswitch import Order
from alerting.ports import EnforcementPoint
from monitor import journal
from monitor.attempts import carry_out, close_point
from monitor.config import Config
from monitor.enforcement import enforcement_points, longest_attempt_s, point_limits
from monitor.errors import ExitCode
from monitor.journal import Journal
from monitor.ledger.trips import REGISTRY
from monitor.store.engine import StoreError

STORE_WAIT_S: Final = 8.0
"""A store that has not answered by then is not reached: a kill must not hang on it."""
_GRACE_S: Final = 1.0

ResultT = TypeVar("ResultT")


class Told(NamedTuple):
    """What became of the order at one point; no error: it confirmed."""

    point: str
    error: str | None

    def document(self) -> dict[str, str | None]:
        """As JSON, and as the journal has it."""
        state = "confirmed" if self.error is None else "failed"
        return {"point": self.point, "state": state, "error": self.error}


@dataclass(frozen=True, slots=True)
class Broken:
    """What a kill without the store has come to.

    Attributes
    ----------
    why
        What is wrong with the store.
    points
        The registry, not reached, and the others.
    journal
        Its path; `journal_error` says why nothing was written there.
    """

    agent_id: str
    reason: str
    ordered_by: str
    order_seq: int
    why: str
    points: Sequence[Told]
    journal: str
    journal_error: str | None

    @property
    def exit_code(self) -> ExitCode:
        """Partly done at best; without the store nobody tries the rest again."""
        confirmed = any(told.error is None for told in self.points)
        return ExitCode.PARTLY if confirmed else ExitCode.FAILED

    def document(self) -> dict[str, Any]:
        """The order as JSON; a contract."""
        return {
            "agent_id": self.agent_id,
            "state": None,
            "break_glass": True,
            "store_error": self.why,
            "ordered_by": self.ordered_by,
            "reason": self.reason,
            "order_seq": self.order_seq,
            "points": [told.document() for told in self.points],
            "journal": self.journal,
            "journal_error": self.journal_error,
            "exit_code": self.exit_code,
        }


def within(wait_s: float, act: Callable[[], ResultT]) -> ResultT:
    """What `act` returns or raises, unless it takes longer.

    Raises
    ------
    StoreError
        If it was not done in time; should it come to an end after all, nothing is harmed.
    """
    done: queue.SimpleQueue[tuple[ResultT | None, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((act(), None))
        except Exception as error:  # handed to whoever waits
            done.put((None, error))

    threading.Thread(target=run, name="store", daemon=True).start()
    try:
        result, error = done.get(timeout=wait_s)
    except queue.Empty:
        raise StoreError(f"the store did not answer within {wait_s:g} s") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value] # one of the two is set


def kill(config: Config, *, agent: str, reason: str, by: str, why: str) -> Broken:
    """Tell every point that can be reached without the store; the journal first.

    Parameters
    ----------
    why
        What is wrong with the store.
    """
    kept = Journal(journal.default_path())
    journal_error: str | None = None
    order_id, order_seq = "break-glass", journal.clock_seq()
    write = partial(kept.append, actor=by, agent_id=agent, reason=reason)
    try:
        intent = write(action="kill ordered")
        order_id, order_seq = intent["journal_id"], intent["order_seq"]
    except Exception as error:  # the kill matters more than the record of it
        journal_error = _one_line(error)
    order = Order(
        trip_id=order_id,
        agent_id=agent,
        direction="revoke",
        order_seq=order_seq,
        reason=reason,
        ordered_by=by,
        ordered_at=datetime.now(UTC),
    )
    told = [Told(REGISTRY, why), *_tell_all(config, order)]
    points = [one.document() for one in told]
    if journal_error is None:
        try:
            write(action="kill outcome", points=points, order_seq=order_seq)
        except Exception as error:  # likewise
            journal_error = f"the outcome is missing: {_one_line(error)}"
    return Broken(agent, reason, by, order_seq, why, told, str(kept.path), journal_error)


def _tell_all(config: Config, order: Order) -> list[Told]:
    """Tell all points at the same time; none keeps the others, or us, waiting."""
    limits = point_limits(config)
    with ExitStack() as stack:
        points = enforcement_points(config, strict=False)
        answers: dict[str, str | None] = {}
        threads = []
        for name, point in points.items():
            stack.callback(close_point, name, point)
            arguments = (name, point, order, limits[name].timeout_s, answers)
            threads.append(threading.Thread(target=_tell, args=arguments, daemon=True))
            threads[-1].start()
        deadline_s = time.monotonic() + longest_attempt_s(config) + _GRACE_S
        for thread in threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        return [Told(name, answers.get(name, "no answer in time")) for name in points]


def _tell(
    name: str,
    point: EnforcementPoint,
    order: Order,
    timeout_s: float,
    answers: dict[str, str | None],
) -> None:
    failure = carry_out(point, order, timeout_s)
    answers[name] = _one_line(failure) if failure else None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
