"""The application: every route, and what stands around them."""

from importlib.metadata import version

from fastapi import APIRouter, FastAPI

from monitor.api import agents, desk, many, records
from monitor.api.access import BackendOf
from monitor.api.answers import Answer, add_handlers
from monitor.api.backend import Backend, StoreDownError
from monitor.api.edge import Edge
from monitor.documents import iso
from monitor.ledger import conditions

health = APIRouter(tags=["health"])


@health.get("/livez")
async def livez() -> Answer:
    """Whether the process answers; needs no token."""
    return Answer({"live": True})


@health.get("/readyz", responses={503: {"description": "Not ready; `reasons` says why"}})
async def readyz(backend: BackendOf) -> Answer:
    """Whether it can answer questions about agents; needs no token.

    `conditions` are those of the whole monitor, without their texts, which may name agents. None
    of them keeps this process from answering.
    """
    try:
        held = await backend.read(lambda ledger, _: conditions.open_now(ledger))
    except StoreDownError as error:
        return Answer({"ready": False, "reasons": [str(error)], "conditions": []}, 503)
    told = [
        {"condition": one.kind, "severity": one.severity.label, "since": iso(one.since)}
        for one in held
    ]
    return Answer({"ready": True, "reasons": [], "conditions": told})


def create_app(backend: Backend) -> FastAPI:
    """The application over a backend, which the caller closes."""
    app = FastAPI(
        title="Tripswitch",
        summary="Whether agents may act, what was raised, and orders about them",
        version=version("tripswitch"),
        docs_url=None,  # these pages would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.backend = backend
    # Agents first, for gateways ask about one before each action, and routes are tried in order.
    for router in (agents.router, health, records.router, desk.router, many.router):
        app.include_router(router)
    add_handlers(app)
    app.add_middleware(Edge)
    return app
