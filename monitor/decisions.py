"""Decisions on what waits for a person, as the command line and the HTTP API carry them out.

A decision and the order that follows from it are one transaction: whatever fails afterwards, the
daemon goes on with the order.
"""

import time
from dataclasses import dataclass
from typing import Any

from monitor import orders, orders_many
from monitor.config import Config
from monitor.documents import approval_document, trip_document
from monitor.enforcement import point_names
from monitor.errors import ExitCode
from monitor.ledger import approvals, holds, trip_question, trips
from monitor.ledger.approvals import SECOND_PERSON, Approval
from monitor.orders import Carried, check_reason
from monitor.orders_many import Many
from monitor.routing import routing
from monitor.store import Store


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided, and what came of it: a trip, an order about many, or nothing."""

    approval: Approval
    trip: Carried | None = None
    many: Many | None = None

    @property
    def exit_code(self) -> ExitCode:
        """Of what came of it."""
        carried = self.trip or self.many
        return carried.exit_code if carried else ExitCode.DONE

    def document(self, store: Store) -> dict[str, Any]:
        """The decision as JSON; a contract."""
        return {
            **approval_document(self.approval),
            "trip": trip_document(self.trip.trip) if self.trip else None,
            "hold": self.many.document() if self.many else None,
            "notes": list(self.trip.notes) if self.trip else [],
            "store": store.url,
            "exit_code": self.exit_code,
        }


def approve(
    config: Config, store: Store, approval_id: str, *, reason: str, by: str, owner: str
) -> Decided:
    """Approve, and carry out what was asked for.

    Raises
    ------
    NotFoundError
        If there is no such approval.
    UsageError
        If it waits no longer, or this person may not approve it.
    """
    check_reason(reason)
    receivers, now_s = routing(config), time.time()
    ordered: trips.Trip | None = None
    with store.ledger() as ledger:
        approved = approvals.decide(
            ledger, approval_id, by=by, approve=True, reason=reason, now_s=now_s
        )
        if approved.kind in SECOND_PERSON:
            holds.carry_out(ledger, approved, receivers=receivers, now_s=now_s)
        else:
            ordered = trip_question.carry_out_approved(
                ledger, approved, point_names(config), receivers, now_s
            )
    if ordered is None:
        return Decided(approved, many=orders_many.carry_out(config, store, approved, owner))
    return Decided(approved, trip=orders.carry_out_kill(config, store, ordered, owner))


def decline(config: Config, store: Store, approval_id: str, *, reason: str, by: str) -> Decided:
    """Decline: nothing is done, and people are told so.

    Raises
    ------
    NotFoundError, UsageError
        As for `approve`.
    """
    check_reason(reason)
    now_s = time.time()
    with store.ledger() as ledger:
        declined = approvals.decide(
            ledger, approval_id, by=by, approve=False, reason=reason, now_s=now_s
        )
        trip_question.tell_not_approved(ledger, declined, routing(config), now_s)
    return Decided(declined)
