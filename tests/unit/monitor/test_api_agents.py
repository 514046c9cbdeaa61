"""What the routes about agents answer, over a real server and both databases."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from alerting.killswitch import BLOCKED
from monitor.api.edge import MAX_BODY_BYTES
from monitor.ledger import approvals as waiting
from monitor.ledger import grants, holds, trips
from monitor.ledger.tokens import Role
from monitor.store import Store
from tests.kit.api import bearer, served, token

HOSTILE = [
    "team/payroll/7", "a/grants", "a/kill", "..", ".", "../../etc/passwd", "a b+c%2F?",
    "agent?scope=*#x", "ünïcode-\u202egnp", "'; DROP TABLE grants; --", "\x1b[31mred", "a\nb", "%",
    "🤖" * 50, " ", "x" * 1024,
]  # fmt: skip


JSON = {"content-type": "application/json"}


@pytest.fixture
def api(store: Store, store_url: str) -> Iterator[httpx.Client]:
    with served(store, store_url) as client:
        client.headers.update(bearer(token(store, Role.OPERATOR)))
        yield client


def path(agent: str, *more: str) -> str:
    quoted = quote(agent, safe="")
    if quoted in (".", ".."):
        quoted = quoted.replace(".", "%2E")
    return "/".join(("/v1/agents", quoted, *more))


def grant(store: Store, agent: str, scope: str, lasts_s: float | None = 3600.0) -> str:
    now_s = time.time()
    with store.ledger() as ledger:
        return grants.add(
            ledger,
            agent_id=agent,
            scope=scope,
            reason="r",
            granted_by="os:alice",
            now_s=now_s,
            expires_at=None if lasts_s is None else now_s + lasts_s,
        )


def decide(api: httpx.Client, agent: str, scope: str = "mail.send") -> dict[str, Any]:
    answer = api.get(path(agent, "grants"), params={"scope": scope})
    assert answer.status_code == 200, answer.text
    decision: dict[str, Any] = answer.json()
    assert (decision["agent_id"], decision["scope"]) == (agent, scope)
    assert decision["checked"] is True
    return decision


def test_a_gateway_is_told_whether_and_why(api: httpx.Client, store: Store) -> None:
    assert decide(api, "a")["allowed"] is False
    assert decide(api, "a")["reason"] == "no grant covers it"
    grant_id = grant(store, "a", "mail.*")
    told = decide(api, "a")
    assert (told["allowed"], told["state"]) == (True, "active")
    assert told["reason"].startswith("granted until ")
    assert [given["grant_id"] for given in told["grants"]] == [grant_id]
    assert decide(api, "a", "db.read")["allowed"] is False
    assert decide(api, "a", "mail.*")["allowed"] is True  # as the pattern's own text
    assert decide(api, "a", "*")["allowed"] is False
    assert decide(api, "b")["allowed"] is False


def test_a_revoked_and_an_expired_grant_are_refused_by_the_next_answer(
    api: httpx.Client, store: Store
) -> None:
    grant_id = grant(store, "a", "mail.send", lasts_s=None)
    assert decide(api, "a")["reason"] == "granted without an end"
    with store.ledger() as ledger:
        grants.revoke(ledger, grant_id, "os:bob", time.time(), reason="done")
    told = decide(api, "a")
    assert told["allowed"] is False
    assert told["reason"].startswith("its grant was revoked at ")
    grant(store, "a", "mail.send", lasts_s=1.0)
    with store.read() as ledger:
        ends_s = grants.list_grants(ledger, "a")[0].expires_at
    assert ends_s is not None
    while (asked_s := time.time()) < ends_s + 0.1:
        told = decide(api, "a")
        if time.time() < ends_s:
            assert told["allowed"] is True
        if asked_s >= ends_s:
            assert told["reason"].startswith("its grant expired at ")
            assert told["allowed"] is False
    assert decide(api, "a")["allowed"] is False


def test_a_kill_refuses_everything_and_a_restore_gives_it_back(
    api: httpx.Client, store: Store
) -> None:
    grant(store, "a", "mail.send")
    rehearsed = api.post(path("a", "kill"), json={"reason": "r", "dry_run": True})
    assert rehearsed.json()["dry_run"] is True
    assert decide(api, "a")["allowed"] is True
    killed = api.post(path("a", "kill"), json={"reason": "INC-42"})
    assert killed.status_code == 200
    order = killed.json()
    assert (order["state"], order["new"], order["exit_code"]) == ("contained", True, 0)
    assert (order["ordered_by"], order["reason"]) == ("token:operator", "INC-42")
    assert decide(api, "a")["reason"] == "the agent is contained"
    assert api.post(path("a", "kill"), json={"reason": "again"}).json()["new"] is False
    refused = api.post(path("a", "grants"), json={"scope": "s", "reason": "r", "standing": True})
    assert refused.status_code == 409
    assert refused.json()["revoked_by"] == f"blocked:{order['trip_id']}"
    restore = {"reason": "false alarm", "probation_s": 60, "dry_run": True}
    assert api.post(path("a", "restore"), json=restore).json()["dry_run"] is True
    assert api.get(path("a")).json()["state"] in BLOCKED
    restored = api.post(path("a", "restore"), json={**restore, "dry_run": False}).json()
    assert (restored["state"], restored["restore_ordered_by"]) == ("probation", "token:operator")
    with store.read() as ledger:
        assert trips.get(ledger, restored["trip_id"]).probation_s == 60
    assert decide(api, "a")["allowed"] is True
    assert (
        api.get("/v1/trips", params={"agent": "a"}).json()["trips"][0]["trip_id"]
        == (order["trip_id"])
    )
    assert api.get(f"/v1/trips/{order['trip_id']}").json()["restore_reason"] == "false alarm"


def test_a_hold_about_all_refuses_agents_before_their_own_trips(
    api: httpx.Client, store: Store
) -> None:
    grant(store, "a", "mail.send")
    now_s = time.time()
    with store.ledger() as ledger:
        asked = waiting.ask(
            ledger, kind="kill_all", subject="", reason="r", asked_by="os:alice", now_s=now_s,
            lasts_s=60,
        )  # fmt: skip
        approved = waiting.decide(
            ledger, asked.approval_id, by="os:bob", approve=True, reason="r", now_s=now_s
        )
        hold = holds.carry_out(ledger, approved, receivers=(), now_s=now_s)
    assert decide(api, "a")["allowed"] is False
    assert api.get(path("a")).json()["holds"] == [hold.hold_id]


@pytest.mark.parametrize("agent", HOSTILE)
def test_any_id_works_on_every_route(api: httpx.Client, store: Store, agent: str) -> None:
    given = api.post(path(agent, "grants"), json={"scope": "mail.send", "reason": "r", "for": "1h"})
    assert given.status_code == 201, given.text
    assert given.json()["agent_id"] == agent
    assert decide(api, agent)["allowed"] is True
    assert api.get(path(agent)).json()["agent_id"] == agent
    listed = api.get(path(agent, "grants")).json()
    assert [one["grant_id"] for one in listed["grants"]] == [given.json()["grant_id"]]
    assert api.post(path(agent, "kill"), json={"reason": "r"}).json()["agent_id"] == agent
    assert decide(api, agent)["allowed"] is False
    found = api.get("/v1/trips", params={"agent": agent}).json()["trips"]
    assert [trip["agent_id"] for trip in found] == [agent]
    assert api.post(path(agent, "restore"), json={"reason": "r"}).status_code == 200
    with store.read() as ledger:
        assert {trip.agent_id for trip in trips.list_trips(ledger)} == {agent}


def test_one_agents_name_never_leads_to_another(api: httpx.Client, store: Store) -> None:
    grant(store, "a", "mail.send")
    assert api.get(path("a/grants")).json() == {
        "agent_id": "a/grants", "state": "active", "since": None, "order_seq": 0, "trip_id": None,
        "holds": [],
    }  # fmt: skip
    assert decide(api, "a/grants")["allowed"] is False
    # as it comes from clients that do not encode
    raw = api.get("/v1/agents/team/7/grants", params={"scope": "s"}).json()
    assert raw["agent_id"] == "team/7"


@pytest.mark.parametrize(
    ("method", "where", "more", "status", "said"),
    [
        ("GET", "/v1/agents/%00/grants?scope=s", {}, 400, "NUL"),
        ("GET", "/v1/agents/%ff/grants?scope=s", {}, 400, "UTF-8"),
        ("GET", f"/v1/agents/{'x' * 1025}", {}, 400, "1 to 1024 characters"),
        ("GET", "/v1/agents/a/grants?scope=", {}, 400, "scope"),
        ("GET", "/v1/agents/a/grants?scope=%00", {}, 400, "scope"),
        ("GET", f"/v1/agents/a/grants?scope={'s' * 1025}", {}, 422, "scope"),
        ("GET", "/v1/agents/a/grants?limit=0", {}, 422, "limit"),
        ("GET", "/v1/trips?limit=many", {}, 422, "limit"),
        ("GET", "/v1/trips?agent=%00", {}, 400, "NUL"),
        ("GET", "/v1/trips/none", {}, 404, "no trip 'none'"),
        ("GET", "/v1/trips/%00", {}, 400, "NUL"),
        ("GET", "/v1/nothing", {}, 404, "Not Found"),
        ("PUT", "/v1/trips", {}, 405, "Method Not Allowed"),
        ("DELETE", "/v1/grants/none?reason=r", {}, 404, "no grant 'none'"),
        ("DELETE", "/v1/grants/none", {}, 422, "reason"),
        ("DELETE", "/v1/grants/none?reason=%20", {}, 400, "reason"),
        ("POST", "/v1/agents/a/kill", {"json": {}}, 422, "reason"),
        ("POST", "/v1/agents/a/kill", {"json": {"reason": " "}}, 422, "reason"),
        ("POST", "/v1/agents/a/kill", {"json": {"reason": "r" * 2001}}, 422, "reason"),
        ("POST", "/v1/agents/a/kill", {"json": {"reason": "r", "dry-run": True}}, 422, "dry-run"),
        ("POST", "/v1/agents/a/kill", {"content": b"{"}, 422, "JSON"),
        ("POST", "/v1/agents/a/kill", {"data": {"reason": "r"}}, 422, "application/json"),
        ("POST", "/v1/agents/a/kill", {"content": b"x" * (MAX_BODY_BYTES + 1)}, 413, "bytes"),
        ("POST", "/v1/agents/a/restore", {"json": {"reason": "r"}}, 404, "never cut off"),
        ("POST", "/v1/agents/a/restore", {"json": {"reason": "r", "probation_s": -1}}, 422,
         "probation_s"),
        ("POST", "/v1/agents/a/restore",
         {"content": b'{"reason":"r","probation_s":NaN}', "headers": JSON},
         422, "probation_s"),
        ("POST", "/v1/agents/a/grants", {"json": {"scope": "s", "reason": "r"}}, 422, "standing"),
        ("POST", "/v1/agents/a/grants", {"json": {"scope": "s", "reason": "r", "for": "soon"}}, 422,
         "for"),
        ("POST", "/v1/agents/a/grants",
         {"json": {"scope": "s", "reason": "r", "for": "99999999w"}}, 400, "year 10000"),
        ("POST", "/v1/agents/a/grants",
         {"json": {"scope": "s", "reason": "r", "for": "1h", "standing": True}}, 422, "standing"),
    ],
)  # fmt: skip
def test_a_problem_says_what_was_wrong(
    api: httpx.Client, method: str, where: str, more: dict[str, Any], status: int, said: str
) -> None:
    answer = api.request(method, where, **more)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    assert said in answer.json()["error"]
    assert "Traceback" not in answer.text


def test_a_body_without_an_end_is_cut_short(api: httpx.Client) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(10_000):
            sent += 1
            yield b"x" * 10_000

    with contextlib.suppress(httpx.WriteError):  # it may hang up while we are still sending
        assert api.post("/v1/agents/a/kill", content=chunks()).status_code == 413
    assert sent < 10_000
    assert api.get("/v1/agents/a").json()["state"] == "active"


def test_hostile_words_come_back_as_data_alone(api: httpx.Client) -> None:
    words = "\ud800 \x00 \x1b[2J <script> \u202e"
    body = b'{"scope": "s", "reason": "\\ud800 \\u0000 \\u001b[2J <script> \\u202e", "for": "1h"}'
    answer = api.post(
        path("a", "grants"), content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code in (201, 422), answer.text
    assert answer.content.isascii()
    assert b"\x1b" not in answer.content
    assert words not in answer.text


def test_alerts_are_listed(api: httpx.Client) -> None:
    assert api.get("/v1/alerts", params={"all": "true", "agent": "a"}).json() == {"alerts": []}
