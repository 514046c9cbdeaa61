"""Routes that people work by: what they say of alerts, and what they want to hear nothing of."""

import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query

from alerting.mute import Matcher
from monitor.api.access import BackendOf, Operator, Viewer
from monitor.api.answers import PROBLEMS, Answer
from monitor.api.backend import Backend
from monitor.api.bodies import ExpectedBody, MuteBody, ReasonBody
from monitor.api.edge import decoded
from monitor.api.parameters import Id, Limit, Reason
from monitor.config import Config
from monitor.documents import mute_document
from monitor.errors import UsageError
from monitor.expecting import expect
from monitor.ledger import lifecycle, mutes
from monitor.ledger.lifecycle import Changed
from monitor.routing import routing
from monitor.store import Store

router = APIRouter(prefix="/v1", responses=PROBLEMS)


@router.post("/alerts/{alert_id}/ack", tags=["alerts"])
async def acknowledge(alert_id: Id, body: ReasonBody, backend: BackendOf, by: Operator) -> Answer:
    """Say that somebody looks after it; the id may be an incident's, or the beginning of one."""
    return await _change(lifecycle.acknowledge, alert_id, body.reason, backend, by)


@router.post("/alerts/{alert_id}/resolve", tags=["alerts"])
async def resolve(alert_id: Id, body: ReasonBody, backend: BackendOf, by: Operator) -> Answer:
    """Say that it is over; what is odd from now on is another alert."""
    return await _change(lifecycle.resolve, alert_id, body.reason, backend, by)


@router.post("/alerts/{alert_id}/expected", tags=["alerts"])
async def expected(alert_id: Id, body: ExpectedBody, backend: BackendOf, by: Operator) -> Answer:
    """Say that it was as it should be: the profile learns it, or with `for` makes an exception."""
    wanted = decoded(alert_id)

    def do(config: Config, store: Store) -> dict[str, Any]:
        done = expect(
            store,
            wanted,
            by=by,
            reason=body.reason,
            receivers=routing(config),
            now_s=time.time(),
            scope=body.scope,
            lasts_s=body.lasts_s,
        )
        return {**_document(done.changed), "mutes": list(done.mute_ids)}

    return Answer(await backend.order(do))


@router.get("/mutes", tags=["mutes"])
async def list_mutes(
    backend: BackendOf,
    _: Viewer,
    every: Annotated[bool, Query(alias="all", description="Those that are over, too.")] = False,
    limit: Limit = 50,
) -> Answer:
    """Mutes, the newest first; each as in `tripswitch mutes --json`."""
    found = await backend.read(
        lambda ledger, now_s: mutes.newest(ledger, now_s=None if every else now_s, limit=limit)
    )
    return Answer({"mutes": [mute_document(one) for one in found]})


@router.post("/mutes", tags=["mutes"], status_code=201)
async def mute(body: MuteBody, backend: BackendOf, by: Operator) -> Answer:
    """Tell nobody of some findings for a while; each condition that is given must hold."""
    if body.lasts_s is None:
        raise UsageError('for: say how long, such as "1h": a mute has an end')
    lasts_s = body.lasts_s
    matcher = Matcher(agent=body.agent, role=body.role, detector=body.detector, target=body.target)
    begun = await backend.write(
        lambda ledger, now_s: mutes.mute(
            ledger, matcher, reason=body.reason, by=by, now_s=now_s, lasts_s=lasts_s
        )
    )
    return Answer(mute_document(begun), 201)


@router.delete("/mutes/{mute_id}", tags=["mutes"])
async def unmute(mute_id: Id, backend: BackendOf, by: Operator, reason: Reason) -> Answer:
    """End a mute before its time; alerts that are open and at least high come out."""
    wanted = decoded(mute_id)

    def do(config: Config, store: Store) -> dict[str, Any]:
        with store.ledger() as ledger:
            ended = mutes.unmute(
                ledger,
                wanted,
                reason=reason,
                by=by,
                receivers=routing(config),
                now_s=time.time(),
            )
        return mute_document(ended)

    return Answer(await backend.order(do))


async def _change(
    change: Callable[..., Changed], alert_id: str, reason: str, backend: Backend, by: str
) -> Answer:
    wanted = decoded(alert_id)

    def do(config: Config, store: Store) -> Changed:
        with store.ledger() as ledger:
            return change(
                ledger,
                wanted,
                by=by,
                reason=reason,
                receivers=routing(config),
                now_s=time.time(),
            )

    return Answer(_document(await backend.order(do)))


def _document(changed: Changed) -> dict[str, Any]:
    """As `tripswitch ack --json` prints it."""
    return {
        **changed.named[0].model_dump(mode="json"),
        "changed": [one.alert_id for one in changed.changed],
        "incident": changed.incident and changed.incident.model_dump(mode="json"),
    }
