"""Routes about one agent: where it stands, whether it may act, and orders about it."""

import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from sqlalchemy import Connection

from monitor import dossier, orders, past, rehearsal, roster
from monitor.agent_document import State, agent_document
from monitor.api.access import BackendOf, Gateway, Operator, Viewer
from monitor.api.answers import PROBLEMS, STATUS, Answer, log_down
from monitor.api.backend import Backend, StoreDownError
from monitor.api.bodies import GrantBody, KillBody, RestoreBody
from monitor.api.edge import decoded
from monitor.api.parameters import Limit
from monitor.config import Config
from monitor.documents import decision_document, grant_document, standing_document
from monitor.duration import parse_duration
from monitor.errors import UsageError
from monitor.ledger import agents, grants, hold
from monitor.ledger.trips import Trip
from monitor.store import Store

router = APIRouter(prefix="/v1/agents", tags=["agents"], responses=PROBLEMS)

CarryOut = Callable[[Config, Store, Trip, str], orders.Carried]


async def _agent(
    agent_id: Annotated[str, Path(description="The agent's id; send a / in it as %2F.")],
) -> str:
    agent = decoded(agent_id)
    orders.check_agent(agent)
    return agent


async def _scope(
    scope: Annotated[
        str | None, Query(description="What it wants to do: asks for a decision.", max_length=1024)
    ] = None,
) -> str | None:
    # Nothing may reach the store that it would refuse: that must not look like a store gone.
    if scope is not None and (not scope or "\x00" in scope):
        raise UsageError("scope: is empty, or holds a NUL")
    return scope


Agent = Annotated[str, Depends(_agent)]
Scope = Annotated[str | None, Depends(_scope)]


@router.get("")
async def list_agents(
    backend: BackendOf,
    _: Viewer,
    role: Annotated[str | None, Query(max_length=1024, description="Of this role alone.")] = None,
    state: Annotated[State | None, Query(description="Learning, or calibrated.")] = None,
    undeclared: Annotated[bool, Query(description="Shadow AI: nobody declared it.")] = False,
    limit: Limit = 50,
) -> Answer:
    """Who acts, the last seen first; each as in `tripswitch agents --json`."""
    if role is not None and "\x00" in role:
        raise UsageError("role: holds a NUL")
    calibrated = None if state is None else state is State.CALIBRATED

    def listed(config: Config, store: Store) -> list[dict[str, Any]]:
        found = roster.newest(
            config, store, role=role, calibrated=calibrated, undeclared=undeclared,
            limit=limit, now_s=time.time(),
        )  # fmt: skip
        return [agent_document(entry) for entry in found]

    return Answer({"agents": await backend.order(listed)})


@router.get("/{agent_id:path}/grants", summary="May this agent do this?")
async def list_grants(
    request: Request,
    agent: Agent,
    backend: BackendOf,
    admit: Gateway,
    scope: Scope = None,
    limit: Limit = 100,
) -> Answer:
    """Grants with their validity, the newest first; with `scope` the decision.

    A decision says whether it is `allowed`, and the `reason`.
    While the store cannot be reached a decision is refused with status 503, or allowed with
    `checked` false, as `serve.on_store_failure` says: then nobody's token is checked either.
    """

    def answer(ledger: Connection, now_s: float) -> dict[str, Any]:
        admit(ledger, now_s)
        if scope is None:
            return _grants(ledger, now_s, agent, limit)
        decision = grants.decide(ledger, agent, scope, now_s)
        return {**decision_document(decision, now_s), "checked": True}

    try:
        return Answer(await backend.read(answer))
    except StoreDownError as error:
        if scope is None:
            raise
        log_down(request, error)
        return _unchecked(backend, agent, scope)


@router.post("/{agent_id:path}/grants", status_code=201)
async def add_grant(agent: Agent, grant: GrantBody, backend: BackendOf, by: Operator) -> Answer:
    """Grant a scope, for a time. To an agent that is cut off it is refused with status 409."""

    def add(ledger: Connection, now_s: float) -> tuple[int, dict[str, Any]]:
        grant_id = grants.add(
            ledger,
            agent_id=agent,
            scope=grant.scope,
            reason=grant.reason,
            granted_by=by,
            now_s=now_s,
            expires_at=None if grant.lasts_s is None else now_s + grant.lasts_s,
        )
        added = grants.get(ledger, grant_id)
        document = grant_document(added, now_s)
        if added.is_valid(now_s):
            return 201, document
        return 409, {"error": "the agent is cut off: nothing is granted", **document}

    status, document = await backend.write(add)
    return Answer(document, status)


@router.post("/{agent_id:path}/kill", responses={202: {"description": "Some points still to go"}})
async def kill(agent: Agent, body: KillBody, backend: BackendOf, by: Operator) -> Answer:
    """Cut the agent off, now; the same document as `tripswitch kill --json`.

    The order is durable, and the registry refuses the agent, before any other enforcement point
    is tried. Status 202: some points have not confirmed, and are being retried by the daemon.
    """
    said = {"agent": agent, "reason": body.reason, "by": by}
    if body.dry_run:
        return Answer(await backend.order(lambda c, s: rehearsal.kill(c, s, **said)))
    ordered = await backend.order(lambda c, s: orders.order_kill(c, s, **said))
    return await _driven(backend, orders.carry_out_kill, ordered)


@router.post("/{agent_id:path}/restore", responses={202: {"description": "Likewise"}})
async def restore(agent: Agent, body: RestoreBody, backend: BackendOf, by: Operator) -> Answer:
    """Give the agent back what its trip took and what has not expired since."""
    said = {"agent": agent, "reason": body.reason, "by": by}
    lasts_s = body.probation_s
    if body.dry_run:
        return Answer(
            await backend.order(lambda c, s: rehearsal.restore(c, s, **said, probation_s=lasts_s))
        )
    ordered = await backend.order(
        lambda c, s: orders.order_restore(c, s, **said, probation_s=lasts_s)
    )
    return await _driven(backend, orders.carry_out_restore, ordered)


@router.get("/{agent_id:path}/actions")
async def list_actions(
    agent: Agent,
    backend: BackendOf,
    _: Viewer,
    since: Annotated[str, Query(max_length=40, description="So long ago: 90s, 2h, 7d.")] = "1d",
    trace: Annotated[str | None, Query(max_length=1024, description="In this run alone.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Of more the latest.")] = 1000,
) -> Answer:
    """What it did, in order, with who delegated it; each as in `tripswitch actions --json`."""
    if trace is not None and "\x00" in trace:
        raise UsageError("trace: holds a NUL")
    lasts_s = parse_duration(since)

    def told(config: Config, store: Store) -> dict[str, Any]:
        return past.look(
            config, store, agent, since_s=time.time() - lasts_s, trace_id=trace, limit=limit
        )

    return Answer(await backend.order(told))


@router.get("/{agent_id:path}/profile")
async def profile(agent: Agent, backend: BackendOf, _: Viewer) -> Answer:
    """What it usually does, and what is in force about it; as in `tripswitch agent ID --json`."""

    def told(config: Config, store: Store) -> dict[str, Any]:
        now_s = time.time()
        return dossier.dossier_document(dossier.gather(config, store, agent, now_s), now_s)

    return Answer(await backend.order(told))


@router.get("/{agent_id:path}")
async def standing(agent: Agent, backend: BackendOf, _: Viewer) -> Answer:
    """Where the agent stands; one that nobody ever ordered about is active."""
    return Answer(await backend.read(lambda ledger, _: _standing(ledger, agent)))


async def _driven(backend: Backend, carry_out: CarryOut, ordered: Trip) -> Answer:
    carried = await backend.drive(lambda c, s: carry_out(c, s, ordered, backend.owner))
    return Answer(carried.document(backend.store), STATUS.get(carried.exit_code, 200))


def _standing(ledger: Connection, agent: str) -> dict[str, Any]:
    holds = ledger.execute(hold.covering(agent)).scalars().all()
    known = agents.standings(ledger, [agent]).get(agent)
    return {**standing_document(agent, known), "holds": list(holds)}


def _grants(ledger: Connection, now_s: float, agent: str, limit: int) -> dict[str, Any]:
    found = grants.list_grants(ledger, agent, limit)
    return {
        **_standing(ledger, agent),
        "grants": [grant_document(grant, now_s) for grant in found],
    }


def _unchecked(backend: Backend, agent: str, scope: str) -> Answer:
    mode = backend.config.serve.on_store_failure
    document: dict[str, Any] = {
        "agent_id": agent,
        "state": None,
        "scope": scope,
        "allowed": mode == "open",
        "reason": f"not checked: the store cannot be reached, and serve.on_store_failure is {mode}",
        "grants": [],
        "checked": False,
    }
    return Answer(document, 200 if mode == "open" else 503)
