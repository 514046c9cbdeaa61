"""An order as enforcement points tell it: one record everywhere, and which order came last."""

import threading
from typing import Any, Final

from alerting.killswitch import Order
from alerting.ports import RevokeError

PLACEHOLDERS: Final = (
    "agent_id",
    "trip_id",
    "order_seq",
    "reason",
    "ordered_by",
    "ordered_at",
    "direction",
)
"""What templates may name, as `$agent_id`."""
KAFKA: Final = "kafka"
"""What the revocations topic is called among the points."""


def record(order: Order) -> dict[str, Any]:
    """What is published of an order where nobody asked for another form."""
    return {
        "agent_id": order.agent_id,
        "state": "revoked" if order.direction == "revoke" else "active",
        "order_seq": order.order_seq,
        "trip_id": order.trip_id,
        "reason": order.reason,
        "at": order.ordered_at.isoformat(),
        "ordered_by": order.ordered_by,
    }


def values(order: Order) -> dict[str, str]:
    """The text of each placeholder; most of it is hostile."""
    at = {"ordered_at": order.ordered_at.isoformat()}
    return {name: str(getattr(order, name)) for name in PLACEHOLDERS} | at


class LastOrders:
    """The highest order seen for each agent by this process, confirmed or not."""

    def __init__(self) -> None:
        self._seqs: dict[str, int] = {}
        self._lock = threading.Lock()

    def admit(self, order: Order) -> None:
        """Remember an order that is about to be carried out.

        Raises
        ------
        RevokeError
            If a later one of the same agent was seen before.
        """
        with self._lock:
            last_seq = self._seqs.get(order.agent_id, 0)
            if order.order_seq < last_seq:
                raise RevokeError(
                    f"order {order.order_seq} is outdated: order {last_seq} came before it"
                )
            self._seqs[order.agent_id] = order.order_seq
