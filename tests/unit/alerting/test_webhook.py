"""Webhooks against a real server that answers slowly, wrongly, twice or never."""

import json
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from alerting.notify.contract import stopwatch
from alerting.ports import RevokeError
from alerting.revoke.contract import order
from alerting.revoke.webhook import WebhookPoint
from monitor.webhooks import open_webhook
from tests.kit.gateway_server import SECRET, TOKEN, Answer, GatewayServer, gateway_server
from tests.kit.points import webhook

README = Path(__file__).resolve().parents[3] / "alerting" / "README.md"
LIMIT_S = 20.0
SHORT_S = 0.4


@pytest.fixture
def gateway() -> Iterator[GatewayServer]:
    with gateway_server() as server:
        yield server


@pytest.fixture
def open_at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., WebhookPoint]:
    monkeypatch.setenv("GATEWAY_SECRET", SECRET)
    monkeypatch.setenv("GATEWAY_TOKEN", TOKEN)

    def opened(gateway: GatewayServer, **changes: Any) -> WebhookPoint:
        named = {"secret_variable": "GATEWAY_SECRET", "token_variable": "GATEWAY_TOKEN"}
        return open_webhook(webhook(gateway.url, **named, **changes))

    return opened


Open = Callable[..., WebhookPoint]


def documented_check() -> Callable[..., bool]:
    """What `alerting/README.md` gives to the author of a gateway."""
    (block,) = re.findall(r"```python\n(import hmac.*?)```", README.read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(block, names)
    found: Callable[..., bool] = names["is_genuine"]
    return found


def test_a_gateway_can_tell_who_sent_it_by_what_the_readme_says(
    gateway: GatewayServer, open_at: Open
) -> None:
    changes = {"query": {"why": "$reason"}, "path": "/agents/$agent_id/block"}
    open_at(gateway, revoke=changes).revoke(order("revoke", 1, "a/ä?", reason="x&y=z"), LIMIT_S)
    (asked,) = gateway.asked
    is_genuine = documented_check()
    whole = (SECRET, asked.method, asked.target, asked.headers, asked.body)
    assert asked.target == "/agents/a%2F%C3%A4%3F/block?why=x%26y%3Dz"
    assert is_genuine(*whole)
    assert not is_genuine("other", *whole[1:])
    assert not is_genuine(SECRET, "PUT", *whole[2:])
    assert not is_genuine(SECRET, asked.method, "/agents/b/block", *whole[3:])
    assert not is_genuine(*whole[:4], asked.body + b" ")
    old = {**asked.headers, "x-tripswitch-timestamp": str(int(time.time()) - 3600)}
    assert not is_genuine(*whole[:3], old, asked.body)


def test_every_attempt_at_an_order_has_the_same_key(gateway: GatewayServer, open_at: Open) -> None:
    point, told = open_at(gateway), order("revoke", 3, "a")
    gateway.script.append(Answer(500))
    with pytest.raises(RevokeError):
        point.revoke(told, LIMIT_S)
    point.revoke(told, LIMIT_S)
    point.restore(told.model_copy(update={"direction": "restore", "order_seq": 4}), LIMIT_S)
    keys = [asked.headers["idempotency-key"] for asked in gateway.asked]
    assert keys == [f"{told.trip_id}-3"] * 2 + [f"{told.trip_id}-4"]


def test_templates_hold_what_is_hostile_in_its_place(gateway: GatewayServer, open_at: Open) -> None:
    hostile = '"}, "admin": true, {"$token": "\r\nX-Injected: 1\x00 ü'
    request = {
        "path": "/agents/$agent_id/block",
        "headers": {"Authorization": "Bearer $token", "X-Why": "why: $reason"},
        "body": {"who": {"id": "$agent_id"}, "seq": "$order_seq", "list": ["a $reason", 1, True]},
    }
    open_at(gateway, revoke=request).revoke(order("revoke", 7, "$token", reason=hostile), LIMIT_S)
    (asked,) = gateway.asked
    assert gateway.states == {"$token": "revoked"}
    assert json.loads(asked.body) == {
        "who": {"id": "$token"},
        "seq": 7,
        "list": [f"a {hostile}", 1, True],
    }
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["x-why"].startswith('why: "},%20"admin":%20true,%20{"$token":')
    assert "x-injected" not in asked.headers
    assert TOKEN not in asked.body.decode() + asked.target + asked.headers["x-why"]


def test_a_form_and_a_method_without_body(gateway: GatewayServer, open_at: Open) -> None:
    form = {"path": "/agents/a/block", "encoding": "form", "body": {"id": "$agent_id&x=y"}}
    delete = {"path": "/sessions", "method": "DELETE", "already_done": [404]}
    point = open_at(gateway, revoke=form, restore=delete)
    point.revoke(order("revoke", 1, "ä b"), LIMIT_S)
    point.restore(order("restore", 2, "ä b"), LIMIT_S)
    posted, deleted = gateway.asked
    assert parse_qs(posted.body.decode()) == {"id": ["ä b&x=y"]}
    assert posted.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (deleted.method, deleted.body) == ("DELETE", b"")


@pytest.mark.parametrize("agent_id", ["..", "a/../b", ".", "a\\..\\b"])
def test_an_id_that_would_leave_its_place_in_the_path_is_refused(
    gateway: GatewayServer, open_at: Open, agent_id: str
) -> None:
    with pytest.raises(RevokeError, match="must not stand in a URL's path"):
        open_at(gateway).revoke(order("revoke", 1, agent_id), LIMIT_S)
    assert gateway.asked == []


WRONG = {
    "an error": (Answer(500, b"\x1b[2Jdatabase\r\ndown"), r"HTTP 500 to revoke: \\x1b\[2Jdatabase"),
    "not found": (Answer(404), "HTTP 404 to revoke"),
    "a redirect": (Answer(302, headers={"Location": "/ready"}), "a redirect.* not followed"),
    "garbage": (Answer(raw=b"SSH-2.0-OpenSSH_9.6\r\n"), "talks no HTTP"),
    "nothing": (Answer(drop=True), "talks no HTTP"),
    "silence": (Answer(hang=True), "did not answer within 0.4 s"),
    "a head that drips in": (Answer(200, drip_head=True), "did not answer within 0.4 s"),
    "a secret that comes back": (Answer(403, SECRET.encode()), r"HTTP 403 to revoke: \[hidden\]"),
    "an endless error": (Answer(500, endless=True), "HTTP 500 to revoke: xxx"),
    "an error that drips in": (Answer(500, b"slow" * 99, drip_body=True), "HTTP 500 to revoke: s"),
    "status lines alone": (Answer(raw=b"HTTP/1.1 100 Go\r\n\r\n" * 3), "talks no HTTP"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_confirmation_is_said_in_time(
    gateway: GatewayServer, open_at: Open, wrong: str
) -> None:
    answer, said = WRONG[wrong]
    gateway.script.append(answer)
    limit_s = SHORT_S if answer.hang or answer.drip_head else 3.0
    with stopwatch() as passed_s:
        with pytest.raises(RevokeError, match=said) as refused:
            open_at(gateway).revoke(order("revoke", 1, "a"), limit_s)
        assert passed_s() < limit_s + 5
    assert len(str(refused.value)) < 400
    assert SECRET not in str(refused.value)
    assert gateway.states == {}
    assert len(gateway.asked) == 1  # the lane tries again, not the adapter


@pytest.mark.parametrize(
    "answer",
    [
        Answer(204),
        Answer(200, endless=True),
        Answer(200, b"slow" * 99, drip_body=True),
        Answer(raw=b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 500 twice\r\n\r\n"),
        Answer(409),
    ],
)
def test_done_is_done_whatever_the_body(
    gateway: GatewayServer, open_at: Open, answer: Answer
) -> None:
    gateway.script.append(answer)
    revoke = {"path": "/agents/$agent_id/block", "already_done": [409]}
    open_at(gateway, revoke=revoke).revoke(order("revoke", 1, "a"), LIMIT_S)


def test_statuses_that_mean_done_can_be_named(gateway: GatewayServer, open_at: Open) -> None:
    point = open_at(gateway, revoke={"path": "/agents/$agent_id/block", "success": [202]})
    with pytest.raises(RevokeError, match="HTTP 200"):
        point.revoke(order("revoke", 1, "a"), LIMIT_S)
    gateway.script.append(Answer(202))
    point.revoke(order("revoke", 1, "a"), LIMIT_S)


@pytest.mark.parametrize(
    ("status", "said", "low_s", "high_s"),
    [
        (429, "7", 7, 7),
        (503, "Fri, 31 Dec 9999 23:59:59 GMT", 1e9, 1e12),
        (503, "Thu, 01 Jan 1970 00:00:00 GMT", 0, 0),
        (429, "soon", None, None),
        (500, "7", None, None),
    ],
)
def test_a_gateway_that_asks_for_rest_is_heard(
    gateway: GatewayServer,
    open_at: Open,
    status: int,
    said: str,
    low_s: float | None,
    high_s: float | None,
) -> None:
    gateway.script.append(Answer(status, headers={"Retry-After": said}))
    with pytest.raises(RevokeError) as refused:
        open_at(gateway).revoke(order("revoke", 1, "a"), LIMIT_S)
    found = refused.value.retry_after_s
    if low_s is None or high_s is None:
        assert found is None
    else:
        assert found is not None
        assert low_s <= found <= high_s


def state(value: object) -> Answer:
    return Answer(200, json.dumps({"agent": {"state": value}}).encode())


@pytest.mark.parametrize(
    ("answer", "is_revoked"),
    [
        (state("revoked"), True),
        (state("active"), False),
        (state(None), False),
        (state(1), False),  # the settings say true
        (state(True), True),
        (Answer(404), False),
        (Answer(423), True),
    ],
)
def test_a_gateway_is_asked_where_the_agent_stands(
    gateway: GatewayServer, open_at: Open, answer: Answer, is_revoked: bool
) -> None:
    question = {
        "path": "/agents/$agent_id",
        "field": "agent.state",
        "revoked": ["revoked", True],
        "revoked_statuses": [423],
        "active_statuses": [404],
    }
    point = open_at(gateway, verify=question)
    for direction, wanted in (("revoke", is_revoked), ("restore", not is_revoked)):
        gateway.script.append(answer)
        assert point.verify(order(direction, 1, "a"), LIMIT_S) is wanted  # type: ignore[arg-type]
    assert open_at(gateway, verify=None).verify(order("revoke", 1, "a"), LIMIT_S) is None


def test_an_answer_is_read_as_it_is_even_if_it_holds_a_secret(
    gateway: GatewayServer, open_at: Open
) -> None:
    question = {"path": "/agents/$agent_id", "field": f"{TOKEN}.state", "revoked": [SECRET]}
    gateway.script.append(Answer(200, json.dumps({TOKEN: {"state": SECRET}}).encode()))
    assert open_at(gateway, verify=question).verify(order("revoke", 1, "a"), LIMIT_S) is True


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(200, b"<html>"), "no field 'agent.state'"),
        (Answer(200, b"[" * 60000), "no field 'agent.state'"),
        (Answer(200, b'{"agent": []}'), "no field 'agent.state'"),
        (Answer(200, endless=True), "longer than 65536 bytes"),
        (Answer(200, b" " * 99, drip_body=True), "did not end in time"),
        (Answer(401), "HTTP 401"),
    ],
)
def test_an_answer_that_does_not_say_where_the_agent_stands_is_an_error(
    gateway: GatewayServer, open_at: Open, answer: Answer, said: str
) -> None:
    gateway.script.append(answer)
    with pytest.raises(RevokeError, match=said):
        open_at(gateway).verify(order("revoke", 1, "a"), 3.0)


def test_the_check_says_what_is_wrong(gateway: GatewayServer, open_at: Open) -> None:
    gateway.script += [Answer(503), Answer(404)]
    with pytest.raises(RevokeError, match="HTTP 503 to the check"):
        open_at(gateway).check(LIMIT_S)
    open_at(gateway, check=None).check(LIMIT_S)  # any answer will do
    assert gateway.asked[-1].method == "HEAD"
    gateway.close()
    with pytest.raises(RevokeError, match="Connection refused"):
        open_at(gateway).check(LIMIT_S)
    gateway.url = "http://no-such-host.invalid"
    with pytest.raises(RevokeError, match="its name is not found"):
        open_at(gateway).check(LIMIT_S)


def test_a_certificate_is_checked_against_the_named_authority(
    open_at: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)),
        check=True, capture_output=True,
    )  # fmt: skip
    with gateway_server() as gateway:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        gateway.use_tls(context)
        with pytest.raises(RevokeError, match="certificate is not trusted: self-signed"):
            open_at(gateway).check(LIMIT_S)
        open_at(gateway, ca_file=certificate).check(LIMIT_S)


def test_nothing_is_sent_once_the_time_is_over(open_at: Open) -> None:
    """A connection that is accepted late brings no order."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        server = type("Listening", (), {"url": f"http://127.0.0.1:{listener.getsockname()[1]}"})
        filling = [socket.socket() for _ in range(4)]
        for each in filling:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        with pytest.raises(RevokeError, match="did not answer"):
            open_at(server).revoke(order("revoke", 1, "a"), SHORT_S)
        for each in filling:
            each.close()
        listener.settimeout(0.5)
        heard = b""
        while True:
            try:
                accepted, _ = listener.accept()
            except TimeoutError:
                break
            with accepted:
                accepted.settimeout(0.5)
                try:
                    heard += accepted.recv(4096)
                except OSError:
                    continue
        assert heard == b""


def test_a_secret_may_be_replaced_while_it_runs_and_is_missed(
    gateway: GatewayServer, open_at: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = open_at(gateway)
    monkeypatch.delenv("GATEWAY_SECRET")
    with pytest.raises(RevokeError, match="no secret in the variable GATEWAY_SECRET"):
        point.revoke(order("revoke", 1, "a"), LIMIT_S)
    assert gateway.asked == []
