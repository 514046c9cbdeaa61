"""Routes about orders that need a second person: asked, approved or declined, in force, lifted."""

from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection

from monitor import decisions, orders_many, rehearsal
from monitor.api.access import BackendOf, Operator, Viewer
from monitor.api.answers import PROBLEMS, STATUS, Answer
from monitor.api.bodies import HoldBody, LiftBody, ReasonBody
from monitor.api.edge import decoded
from monitor.api.parameters import Id, Limit
from monitor.config import Config
from monitor.documents import approval_document
from monitor.ledger import approvals, hold
from monitor.orders_many import hold_document
from monitor.store import Store

router = APIRouter(prefix="/v1", tags=["orders about many"], responses=PROBLEMS)


@router.get("/approvals")
async def list_approvals(backend: BackendOf, _: Viewer) -> Answer:
    """What waits for a person; each as in `tripswitch approvals --json`."""
    waiting = await backend.read(lambda ledger, _: approvals.list_waiting(ledger))
    return Answer({"approvals": [approval_document(one) for one in waiting]})


@router.post("/approvals/{approval_id}/approve")
async def approve(approval_id: Id, body: ReasonBody, backend: BackendOf, by: Operator) -> Answer:
    """Approve what waits, and carry it out; the same document as `tripswitch approve --json`.

    An order about many needs another person, so another token, than the one that asked.
    """
    wanted = decoded(approval_id)

    def decide(config: Config, store: Store) -> decisions.Decided:
        return decisions.approve(
            config, store, wanted, reason=body.reason, by=by, owner=backend.owner
        )

    decided = await backend.drive(decide)
    return Answer(decided.document(backend.store), STATUS.get(decided.exit_code, 200))


@router.post("/approvals/{approval_id}/decline")
async def decline(approval_id: Id, body: ReasonBody, backend: BackendOf, by: Operator) -> Answer:
    """Decline what waits: nothing is cut off."""
    wanted = decoded(approval_id)
    decided = await backend.order(
        lambda c, s: decisions.decline(c, s, wanted, reason=body.reason, by=by)
    )
    return Answer(decided.document(backend.store))


@router.get("/holds")
async def list_holds(backend: BackendOf, _: Viewer, limit: Limit = 20) -> Answer:
    """Orders about many and how far they are; each as in `tripswitch holds --json`."""

    def listed(ledger: Connection, _now_s: float) -> list[dict[str, Any]]:
        found = hold.list_holds(ledger, limit)
        return [hold_document(one, hold.progress(ledger, one.hold_id)) for one in found]

    return Answer({"holds": await backend.read(listed)})


@router.post("/holds", status_code=202, responses={200: {"description": "What would be done"}})
async def ask(body: HoldBody, backend: BackendOf, by: Operator) -> Answer:
    """Ask to cut off a role or every agent; nothing is, until another person has approved it."""
    said: dict[str, Any] = {"role": body.role, "reason": body.reason}

    def asked(config: Config, store: Store) -> dict[str, Any]:
        if body.dry_run:
            return rehearsal.kill_many(config, store, **said)
        return orders_many.asked_document(store, orders_many.ask(config, store, **said, by=by))

    return Answer(await backend.order(asked), 200 if body.dry_run else 202)


@router.post("/holds/lift", responses={202: {"description": "Some points still to go"}})
async def lift(body: LiftBody, backend: BackendOf, by: Operator) -> Answer:
    """End an order about many, and give back every agent that it alone cut off."""
    said: dict[str, Any] = {"role": body.role, "reason": body.reason}
    if body.dry_run:
        return Answer(await backend.order(lambda c, s: rehearsal.restore_many(c, s, **said)))
    lasts_s = body.probation_s
    many = await backend.drive(
        lambda c, s: orders_many.lift(c, s, **said, by=by, owner=backend.owner, probation_s=lasts_s)
    )
    return Answer({**many.document(), "store": backend.store.url}, STATUS.get(many.exit_code, 200))
