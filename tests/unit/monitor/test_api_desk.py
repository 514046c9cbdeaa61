"""Alerts, agents and mutes over HTTP: the same as by the command line."""

from collections.abc import Iterator

import httpx
import pytest

from alerting.trip_policy import Guards
from monitor.ledger import alerts, intake
from monitor.ledger.response import Response
from monitor.ledger.tokens import Role
from monitor.store import Store
from tests.kit.anomalies import anomaly
from tests.kit.api import bearer, served, token
from tests.kit.events import START_S


@pytest.fixture
def api(store: Store, store_url: str) -> Iterator[httpx.Client]:
    with served(store, store_url) as client:
        client.headers.update(bearer(token(store, Role.OPERATOR)))
        yield client


def raise_alert(store: Store) -> str:
    response = Response([], Guards(), ["terminal"], ["registry"], quiet_s=3600.0)
    with store.ledger() as ledger:
        intake.record(ledger, [anomaly()], response, START_S)
        (alert,) = alerts.newest(ledger, open_only=True, agent_id=None, limit=1)
    return alert.alert_id


def test_a_mute_is_made_listed_and_ended(api: httpx.Client, store: Store) -> None:
    asked = {"agent": "payroll-*", "reason": "migration", "for": "1h"}
    made = api.post("/v1/mutes", json=asked)
    assert made.status_code == 201
    mute_id = made.json()["mute_id"]
    assert made.json()["muted_by"] == "token:operator"
    assert [one["mute_id"] for one in api.get("/v1/mutes").json()["mutes"]] == [mute_id]
    ended = api.delete(f"/v1/mutes/{mute_id}", params={"reason": "done"})
    assert ended.json()["ended_by"] == "token:operator"
    assert api.get("/v1/mutes").json() == {"mutes": []}
    assert len(api.get("/v1/mutes", params={"all": True}).json()["mutes"]) == 1


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"agent": "a", "reason": "r"}, 400, "a mute has an end"),
        ({"reason": "r", "for": "1h"}, 400, "mute"),
        ({"agent": "a", "reason": " ", "for": "1h"}, 422, "reason"),
        ({"agent": "a", "reason": "r", "for": "soon"}, 422, "for"),
        ({"agnt": "a", "reason": "r", "for": "1h"}, 422, "agnt"),
    ],
)
def test_a_mute_that_makes_no_sense_is_refused(
    api: httpx.Client, body: dict[str, str], status: int, said: str
) -> None:
    answer = api.post("/v1/mutes", json=body)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["error"]


@pytest.mark.parametrize("what", ["ack", "resolve", "expected"])
def test_an_alert_that_is_not_there(api: httpx.Client, what: str) -> None:
    answer = api.post(f"/v1/alerts/none/{what}", json={"reason": "r"})
    assert answer.status_code == 404
    assert "none" in answer.json()["error"]


def test_who_may_ask_may_not_order(api: httpx.Client, store: Store) -> None:
    api.headers.update(bearer(token(store, Role.VIEWER)))
    assert api.get("/v1/agents").json() == {"agents": []}
    assert api.get("/v1/mutes").status_code == 200
    for where in ("/v1/mutes", "/v1/alerts/x/ack"):
        body = {"reason": "r", "agent": "a", "for": "1h"} if "mutes" in where else {"reason": "r"}
        assert api.post(where, json=body).status_code == 403


def test_an_alert_is_looked_after_and_resolved(api: httpx.Client, store: Store) -> None:
    alert = raise_alert(store)
    taken = api.post(f"/v1/alerts/{alert}/ack", json={"reason": "on it"}).json()
    assert (taken["state"], taken["acknowledged_by"]) == ("acknowledged", "token:operator")
    over = api.post(f"/v1/alerts/{alert}/resolve", json={"reason": "mended"}).json()
    assert over["state"] == "resolved"
    assert over["changed"] == [alert]
    assert api.get("/v1/alerts").json() == {"alerts": []}
