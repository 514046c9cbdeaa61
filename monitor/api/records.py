"""Routes about what happened and what is in force: alerts, trips, single grants, tokens."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Connection

from monitor.api.access import Admin, BackendOf, Operator, Viewer
from monitor.api.answers import PROBLEMS, Answer
from monitor.api.bodies import TokenBody
from monitor.api.edge import decoded
from monitor.api.parameters import Id, Limit, Reason
from monitor.documents import grant_document, token_document, trip_document
from monitor.ledger import alerts, grants, tokens, trips
from monitor.orders import check_agent

router = APIRouter(prefix="/v1", responses=PROBLEMS)


async def _agent(
    agent: Annotated[str | None, Query(description="Of this agent alone.")] = None,
) -> str | None:
    if agent is not None:
        check_agent(agent)
    return agent


AgentOrAll = Annotated[str | None, Depends(_agent)]


@router.get("/alerts", tags=["alerts"])
async def list_alerts(
    backend: BackendOf,
    _: Viewer,
    agent: AgentOrAll = None,
    every: Annotated[bool, Query(alias="all", description="Resolved ones, too.")] = False,
    limit: Limit = 50,
) -> Answer:
    """Alerts, the newest first; each as in `tripswitch alerts --json`."""
    found = await backend.read(
        lambda ledger, _: alerts.newest(ledger, open_only=not every, agent_id=agent, limit=limit)
    )
    return Answer({"alerts": [alert.model_dump(mode="json") for alert in found]})


@router.get("/trips", tags=["trips"])
async def list_trips(
    backend: BackendOf, _: Viewer, agent: AgentOrAll = None, limit: Limit = 20
) -> Answer:
    """Trips, the newest first; each as in `tripswitch trips --json`."""
    found = await backend.read(lambda ledger, _: trips.list_trips(ledger, agent, limit))
    return Answer({"trips": [trip_document(trip) for trip in found]})


@router.get("/trips/{trip_id}", tags=["trips"])
async def get_trip(trip_id: Id, backend: BackendOf, _: Viewer) -> Answer:
    """One trip."""
    wanted = decoded(trip_id)
    return Answer(trip_document(await backend.read(lambda ledger, _: trips.get(ledger, wanted))))


@router.delete("/grants/{grant_id}", tags=["agents"])
async def revoke_grant(grant_id: Id, backend: BackendOf, by: Operator, reason: Reason) -> Answer:
    """Revoke one grant for good, from this moment."""
    wanted = decoded(grant_id)

    def revoke(ledger: Connection, now_s: float) -> dict[str, Any]:
        return grant_document(grants.revoke(ledger, wanted, by, now_s, reason=reason), now_s)

    return Answer(await backend.write(revoke))


@router.get("/tokens", tags=["tokens"])
async def list_tokens(backend: BackendOf, _: Admin) -> Answer:
    """Tokens without their secrets."""

    def listed(ledger: Connection, now_s: float) -> list[dict[str, Any]]:
        return [token_document(token, now_s) for token in tokens.list_tokens(ledger)]

    return Answer({"tokens": await backend.read(listed)})


@router.post("/tokens", tags=["tokens"], status_code=201)
async def add_token(body: TokenBody, backend: BackendOf, by: Admin) -> Answer:
    """Make a token; `secret` is told this once."""

    def add(ledger: Connection, now_s: float) -> dict[str, Any]:
        token, secret = tokens.add(
            ledger, name=body.name, role=body.role, by=by, now_s=now_s, lasts_s=body.lasts_s
        )
        return {**token_document(token, now_s), "secret": secret}

    return Answer(await backend.write(add), 201)


@router.delete("/tokens/{name}", tags=["tokens"])
async def revoke_token(name: Id, backend: BackendOf, by: Admin) -> Answer:
    """Revoke a token, from this moment."""
    wanted = decoded(name)

    def revoke(ledger: Connection, now_s: float) -> dict[str, Any]:
        return token_document(tokens.revoke(ledger, wanted, by=by, now_s=now_s), now_s)

    return Answer(await backend.write(revoke))
