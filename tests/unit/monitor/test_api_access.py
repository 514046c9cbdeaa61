"""Who may do what: each role on each route, over a real server and both databases."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any, Final

import httpx
import pytest

from monitor.api.app import create_app
from monitor.api.backend import Backend
from monitor.config import Config
from monitor.ledger import audit, tokens
from monitor.ledger.tokens import Role
from monitor.store import Store
from tests.kit.api import bearer, served, token

PUBLIC: Final = None
NEEDS: Final[dict[tuple[str, str], Role | None]] = {
    ("GET", "/livez"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/v1/alerts"): Role.VIEWER,
    ("POST", "/v1/alerts/{alert_id}/ack"): Role.OPERATOR,
    ("POST", "/v1/alerts/{alert_id}/resolve"): Role.OPERATOR,
    ("POST", "/v1/alerts/{alert_id}/expected"): Role.OPERATOR,
    ("GET", "/v1/mutes"): Role.VIEWER,
    ("POST", "/v1/mutes"): Role.OPERATOR,
    ("DELETE", "/v1/mutes/{mute_id}"): Role.OPERATOR,
    ("GET", "/v1/trips"): Role.VIEWER,
    ("GET", "/v1/trips/{trip_id}"): Role.VIEWER,
    ("GET", "/v1/agents"): Role.VIEWER,
    ("GET", "/v1/agents/{agent_id:path}"): Role.VIEWER,
    ("GET", "/v1/agents/{agent_id:path}/actions"): Role.VIEWER,
    ("GET", "/v1/agents/{agent_id:path}/grants"): Role.VIEWER,
    ("GET", "/v1/agents/{agent_id:path}/profile"): Role.VIEWER,
    ("POST", "/v1/agents/{agent_id:path}/grants"): Role.OPERATOR,
    ("POST", "/v1/agents/{agent_id:path}/kill"): Role.OPERATOR,
    ("POST", "/v1/agents/{agent_id:path}/restore"): Role.OPERATOR,
    ("DELETE", "/v1/grants/{grant_id}"): Role.OPERATOR,
    ("GET", "/v1/approvals"): Role.VIEWER,
    ("POST", "/v1/approvals/{approval_id}/approve"): Role.OPERATOR,
    ("POST", "/v1/approvals/{approval_id}/decline"): Role.OPERATOR,
    ("GET", "/v1/holds"): Role.VIEWER,
    ("POST", "/v1/holds"): Role.OPERATOR,
    ("POST", "/v1/holds/lift"): Role.OPERATOR,
    ("GET", "/v1/tokens"): Role.ADMIN,
    ("POST", "/v1/tokens"): Role.ADMIN,
    ("DELETE", "/v1/tokens/{name}"): Role.ADMIN,
}
"""The contract. A route that is not here fails `test_every_route_has_a_role`."""

BODIES: Final[dict[str, dict[str, Any]]] = {
    "ack": {"reason": "r"},
    "resolve": {"reason": "r"},
    "expected": {"reason": "r"},
    "mutes": {"agent": "a", "reason": "r", "for": "1h"},
    "grants": {"scope": "s", "reason": "r", "for": "1h"},
    "kill": {"reason": "r"},
    "restore": {"reason": "r"},
    "approve": {"reason": "r"},
    "decline": {"reason": "r"},
    "holds": {"role": "r", "reason": "r"},
    "lift": {"role": "r", "reason": "r"},
    "tokens": {"name": "made", "role": "viewer"},
}


@pytest.fixture
def api(store: Store, store_url: str) -> Iterator[httpx.Client]:
    with served(store, store_url) as client:
        yield client


def ask(
    api: httpx.Client, method: str, path: str, headers: dict[str, str] | None = None
) -> httpx.Response:
    for name in (
        "agent_id:path",
        "trip_id",
        "grant_id",
        "approval_id",
        "alert_id",
        "mute_id",
        "name",
    ):
        path = path.replace(f"{{{name}}}", "some")
    body = BODIES.get(path.rpartition("/")[2]) if method == "POST" else None
    query = {"reason": "r"} if method == "DELETE" else None
    return api.request(method, path, headers=headers, json=body, params=query)


def is_let_in(answer: httpx.Response) -> bool:
    assert answer.status_code < 500, answer.text
    assert answer.status_code not in (405, 422), answer.text
    return answer.status_code not in (401, 403)


def routes_of(routes: Iterable[Any]) -> set[tuple[str, str]]:
    """Also those that the OpenAPI document would not show."""
    found: set[tuple[str, str]] = set()
    for route in routes:
        if hasattr(route, "original_router"):  # as FastAPI keeps the routers that it includes
            found |= routes_of(route.original_router.routes)
        else:
            found |= {(method, route.path) for method in route.methods if method != "HEAD"}
    return found


def test_every_route_has_a_role(store: Store) -> None:
    with closing(Backend(Config(), store, "test")) as backend:
        assert routes_of(create_app(backend).routes) == set(NEEDS)


def test_each_role_may_do_what_it_should_and_no_more(api: httpx.Client, store: Store) -> None:
    secrets = {role: token(store, role) for role in Role}
    for (method, path), needed in NEEDS.items():
        for role, secret in secrets.items():
            answer = ask(api, method, path, bearer(secret))
            expected = needed is None or role.covers(needed)
            assert is_let_in(answer) is expected, (method, path, role, answer.text)
            if not expected:
                assert answer.status_code == 403
                assert f"this needs {needed}" in answer.json()["error"]


@pytest.mark.parametrize(
    "header",
    [None, "Bearer", "Bearer tsw_wrong", "Basic dXNlcjpwYXNz", "tsw_x", "Bearer \xff"],
)
def test_without_a_valid_token_nothing_but_health_is_told(
    api: httpx.Client, store: Store, header: str | None
) -> None:
    token(store, Role.ADMIN)
    headers = {} if header is None else {"Authorization": header}
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    for (method, path), needed in NEEDS.items():
        answer = ask(api, method, path, raw)  # type: ignore[arg-type]
        assert is_let_in(answer) is (needed is None), (method, path)
        if needed is not None:
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert set(answer.json()) == {"error"}


def test_a_token_ends_at_once_when_revoked_and_when_its_time_is_over(
    api: httpx.Client, store: Store
) -> None:
    revoked, short = token(store, Role.VIEWER), token(store, Role.VIEWER, "short", 1.0)
    assert api.get("/v1/trips", headers=bearer(revoked)).status_code == 200
    with store.ledger() as ledger:
        tokens.revoke(ledger, "viewer", by="os:bob", now_s=time.time())
    assert api.get("/v1/trips", headers=bearer(revoked)).status_code == 401
    with store.read() as ledger:
        ends_at = tokens.get(ledger, "short").expires_at
    assert ends_at is not None
    while time.time() < ends_at:
        time.sleep(0.05)
    assert api.get("/v1/trips", headers=bearer(short)).status_code == 401


def test_before_any_token_this_host_may_read_and_nobody_may_order(
    api: httpx.Client, store: Store
) -> None:
    for (method, path), needed in NEEDS.items():
        answer = ask(api, method, path)
        assert is_let_in(answer) is (needed in (None, Role.VIEWER)), (method, path)
        if not is_let_in(answer):
            assert f"tripswitch token add NAME --role {needed}" in answer.json()["error"]
    # a page in a browser of this host that another name leads to is not this host's person
    assert ask(api, "GET", "/v1/trips", {"Host": "evil.example"}).status_code == 401
    assert ask(api, "GET", "/v1/trips", {"Host": "localhost:80"}).status_code == 200
    assert ask(api, "GET", "/v1/trips", {"Host": "[::1]:80"}).status_code == 200
    # one that has ended still counts: an API that was closed does not open by itself
    token(store, Role.VIEWER)
    with store.ledger() as ledger:
        tokens.revoke(ledger, "viewer", by="os:bob", now_s=time.time())
    assert ask(api, "GET", "/v1/trips").status_code == 401


def test_the_audit_names_the_token_and_holds_no_secret(api: httpx.Client, store: Store) -> None:
    admin = token(store, Role.ADMIN)
    made = api.post("/v1/tokens", json={"name": "op", "role": "operator", "for": "90d"},
                    headers=bearer(admin)).json()  # fmt: skip
    assert made["secret"].startswith("tsw_")
    killed = api.post("/v1/agents/a/kill", json={"reason": "r"}, headers=bearer(made["secret"]))
    assert killed.json()["ordered_by"] == "token:op"
    with store.read() as ledger:
        told = str(audit.entries(ledger, 100))
        assert audit.verify(ledger) is None
    assert "token:op" in told
    assert "token:admin" in told
    listed = api.get("/v1/tokens", headers=bearer(admin)).text
    for secret in (admin, made["secret"]):
        assert secret not in told
        assert secret not in listed


def test_the_openapi_document_lists_every_route(api: httpx.Client) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    listed = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    shown = {(method, path.replace(":path", "")) for method, path in NEEDS}
    assert listed == shown - {("GET", "/openapi.json")}
