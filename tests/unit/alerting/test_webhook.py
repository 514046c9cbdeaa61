"""What a gateway is sent by a webhook, and whom it is sent to."""

import json
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from alerting.ports import RevokeError
from alerting.revoke.contract import order
from tests.kit.gateway_server import SECRET, TOKEN, Answer, GatewayServer, gateway_server
from tests.kit.points import Open

README = Path(__file__).resolve().parents[3] / "alerting" / "README.md"
LIMIT_S = 20.0
SHORT_S = 0.4


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
