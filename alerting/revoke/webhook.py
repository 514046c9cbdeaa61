"""An enforcement point that is told over HTTP, by requests that the settings describe.

Each request is signed and carries an idempotency key, the same for every attempt at one order.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alerting.killswitch import Direction, Order
from alerting.ports import RevokeError
from alerting.revoke.orders import LastOrders, record, values
from alerting.wire.answer import Answer, WireError, refused
from alerting.wire.line import MAX_ANSWER_BYTES
from alerting.wire.request import RequestTemplate
from alerting.wire.sender import Sender


@dataclass(frozen=True, slots=True, kw_only=True)
class StateQuestion:
    """How to ask a gateway where an agent stands.

    Parameters
    ----------
    field
        Of the answer's JSON, with dots between the keys, where statuses alone do not tell.
    revoked
        Values of that field that mean cut off; any other means active.
    revoked_statuses, active_statuses
        Statuses that tell by themselves.
    """

    request: RequestTemplate
    field: str | None = None
    revoked: tuple[Any, ...] = ()
    revoked_statuses: frozenset[int] = frozenset()
    active_statuses: frozenset[int] = frozenset()

    def read(self, answer: Answer) -> Direction:
        """What an answer says: the order that is in force.

        Raises
        ------
        RevokeError
            If its JSON says neither.
        WireError
            If its status is an error.
        """
        if answer.status in self.revoked_statuses:
            return "revoke"
        if answer.status in self.active_statuses:
            return "restore"
        if self.field is None or not self.request.is_done(answer.status):
            raise refused("the question where the agent stands", answer)
        if not answer.is_whole:
            raise RevokeError(
                f"its answer is longer than {MAX_ANSWER_BYTES} bytes, or did not end in time"
            )
        try:
            found = json.loads(answer.body)
            for key in self.field.split("."):
                found = found[key]
        except (ValueError, LookupError, TypeError, RecursionError):
            raise RevokeError(f"its answer has no field {self.field!r}") from None
        # 1 and true are equal in Python, and not in JSON
        told = any(found == value and type(found) is type(value) for value in self.revoked)
        return "revoke" if told else "restore"


class WebhookPoint:
    """Tells one gateway.

    Parameters
    ----------
    name
        Of the point.
    sender
        How to reach it.
    requests
        How to `revoke` and to `restore`.
    question
        How to verify; None if the gateway cannot be asked.
    readiness
        What to ask to check it; by default any answer to a HEAD of the URL will do.
    """

    def __init__(
        self,
        name: str,
        sender: Sender,
        *,
        requests: Mapping[Direction, RequestTemplate],
        question: StateQuestion | None = None,
        readiness: RequestTemplate | None = None,
    ) -> None:
        self.name = name
        self._sender = sender
        self._requests = requests
        self._question = question
        self._readiness = readiness
        self._last = LastOrders()

    def check(self, timeout_s: float = 5.0) -> None:
        """Ask the gateway whether it is there.

        Raises
        ------
        RevokeError
            If it gives no answer, or not the one that is wanted.
        """
        template = self._readiness or RequestTemplate(method="HEAD", path="/")
        with _worded():
            answer = self._sender.send(template, {}, {}, timeout_s)
            if self._readiness is not None and not template.is_done(answer.status):
                raise refused("the check", answer)

    def revoke(self, order: Order, timeout_s: float) -> None:
        """Tell the gateway to cut the agent off.

        Raises
        ------
        RevokeError
            If it did not say within `timeout_s` that it is done.
        """
        self._tell(order, timeout_s)

    def restore(self, order: Order, timeout_s: float) -> None:
        """Tell the gateway to give the agent back.

        Raises
        ------
        RevokeError
            If it did not say within `timeout_s` that it is done.
        """
        self._tell(order, timeout_s)

    def verify(self, order: Order, timeout_s: float) -> bool | None:
        """Ask the gateway where the agent stands, if the settings say how.

        Raises
        ------
        RevokeError
            If it gives no answer that can be read.
        """
        if self._question is None:
            return None
        told, whole = _values(order), record(order)
        with _worded():
            answer = self._sender.send(self._question.request, told, whole, timeout_s)
            return self._question.read(answer) == order.direction

    def close(self) -> None:
        """Nothing is kept open between orders."""

    def _tell(self, order: Order, timeout_s: float) -> None:
        self._last.admit(order)
        template = self._requests[order.direction]
        key = f"{order.trip_id}-{order.order_seq}"
        with _worded():
            answer = self._sender.send(
                template,
                _values(order),
                record(order),
                timeout_s,
                key=key,
                is_enough=template.is_done,
            )
            if not template.is_done(answer.status):
                raise refused(order.direction, answer)


def _values(order: Order) -> Mapping[str, Any]:
    return {**values(order), "order_seq": order.order_seq}


@contextlib.contextmanager
def _worded() -> Iterator[None]:
    """What went wrong on the wire, as a point says it."""
    try:
        yield
    except WireError as error:
        raise RevokeError(str(error), retry_after_s=error.retry_after_s) from None
