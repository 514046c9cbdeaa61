"""`tripswitch serve` as a process: two processes on one store, the store down, TLS, its end."""

import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.api import server
from monitor.config import StoreConfig
from monitor.config_serve import ServeConfig
from monitor.errors import ExitCode, TripswitchError, UsageError
from monitor.ledger.tokens import Role
from monitor.store import Store
from tests.kit.api import bearer, process, served, token
from tests.kit.daemon import tripswitch
from tests.kit.postgres import Postgres
from tests.kit.waiting import until


def decide(client: httpx.Client, scope: str = "mail.send") -> httpx.Response:
    return client.get("/v1/agents/payroll-1/grants", params={"scope": scope})


def test_what_another_process_orders_holds_for_the_next_answer(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    settings = {"TRIPSWITCH_STORE__URL": store_url}

    def order(*arguments: str) -> dict[str, Any]:
        code, (document,), error = tripswitch(settings, *arguments, "--json")
        assert code == ExitCode.DONE, error
        return document

    with (
        process(tmp_path, settings) as url,
        httpx.Client(base_url=url, verify=False, timeout=60) as client,
    ):
        assert decide(client).json()["allowed"] is False
        given = order(*"grants add payroll-1 --scope mail.* --reason r --for 1h".split())
        assert decide(client).json()["allowed"] is True
        order("grants", "revoke", given["grant_id"], "--reason", "r")
        assert decide(client).json()["allowed"] is False
        order(*"grants add payroll-1 --scope mail.send --reason r --standing".split())
        assert decide(client).json()["allowed"] is True
        order("kill", "payroll-1", "--reason", "r")
        told = decide(client).json()
        assert (told["allowed"], told["state"]) == (False, "contained")
        assert client.get("/readyz").json() == {
            "ready": True, "reasons": [], "conditions": [],
        }  # fmt: skip
        # tokens as well: from the first one on, each request needs one
        secret = order(*"token add gateway --role viewer".split())["secret"]
        assert decide(client).status_code == 401
        client.headers.update(bearer(secret))
        assert decide(client).status_code == 200
        order(*"token revoke gateway".split())
        assert decide(client).status_code == 401


@pytest.mark.service
@pytest.mark.parametrize(
    ("mode", "status", "allowed"), [("closed", 503, False), ("open", 200, True)]
)
def test_with_the_store_down_a_gateway_is_told_what_was_configured(
    postgres: Postgres, mode: str, status: int, allowed: bool
) -> None:
    url = postgres.new_database()
    store = Store.open(StoreConfig(url=url))
    secret = token(store, Role.OPERATOR)
    try:
        with served(store, url, on_store_failure=mode, store_timeout_s=20.0) as client:
            client.headers.update(bearer(secret))
            assert decide(client).json()["checked"] is True
            postgres.stop()
            try:
                answer = decide(client)
                assert answer.status_code == status
                told = answer.json()
                assert (told["allowed"], told["checked"], told["state"]) == (allowed, False, None)
                assert f"serve.on_store_failure is {mode}" in told["reason"]
                # nothing else is open: neither orders, nor reading, nor what is no question
                for method, path in (
                    ("GET", "/v1/agents/payroll-1/grants"), ("GET", "/v1/agents/payroll-1"),
                    ("GET", "/v1/trips"), ("POST", "/v1/agents/payroll-1/kill"),
                ):  # fmt: skip
                    body = {"reason": "r"} if method == "POST" else None
                    other = client.request(method, path, json=body)
                    assert other.status_code == 503, (method, path)
                    assert set(other.json()) == {"error"}
                hostile = client.get("/v1/agents/%00/grants", params={"scope": "s"})
                assert hostile.status_code == 400
                assert client.get("/livez").status_code == 200
                ready = client.get("/readyz")
                assert (ready.status_code, ready.json()["ready"]) == (503, False)
                assert "cannot be reached" in ready.json()["reasons"][0]
            finally:
                postgres.start()
            assert decide(client).json()["checked"] is True
            assert client.get("/readyz").status_code == 200
    finally:
        store.close()


def test_a_store_that_hangs_counts_as_out_of_reach(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = store.read
    hanging = True

    def read() -> Any:
        while hanging:
            time.sleep(0.01)
        return real()

    with served(store, store_url, store_timeout_s=0.1) as client:
        monkeypatch.setattr(store, "read", read)
        try:
            for _ in range(10):  # more than there are threads for questions
                answer = decide(client)
                assert (answer.status_code, answer.json()["allowed"]) == (503, False)
        finally:
            hanging = False
        until(lambda: decide(client).status_code == 200)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """For 127.0.0.1, signed by itself."""
    binary = shutil.which("openssl")
    if binary is None:
        pytest.skip("needs the openssl command to make a certificate")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [binary, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


def test_it_speaks_tls(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    settings = {
        "TRIPSWITCH_STORE__URL": f"sqlite:///{tmp_path / 'l.db'}",
        "TRIPSWITCH_SERVE__TLS_CERTFILE": str(cert),
        "TRIPSWITCH_SERVE__TLS_KEYFILE": str(key),
    }
    with process(tmp_path, settings) as url:
        assert url.startswith("https://127.0.0.1:")
        trust = ssl.create_default_context(cafile=str(cert))
        with httpx.Client(base_url=url, verify=trust, timeout=60) as client:
            assert decide(client).json()["allowed"] is False
        with pytest.raises(httpx.ConnectError, match="certificate"):
            httpx.get(f"{url}/livez", trust_env=False)
        with pytest.raises(httpx.HTTPError):
            httpx.get(url.replace("https", "http") + "/livez")


def test_a_certificate_that_is_none_is_said(store: Store, store_url: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    for file in (broken, tmp_path / "missing.pem"):
        with (
            pytest.raises(UsageError, match=r"serve\.tls_certfile"),
            served(store, store_url, tls_certfile=file, tls_keyfile=file),
        ):
            pass
    with pytest.raises(ValueError, match="go together"):
        ServeConfig(tls_certfile=broken)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "tripswitch.corp.example"])
def test_beyond_this_host_it_needs_a_token_and_tls(store: Store, tmp_path: Path, host: str) -> None:
    tls = {"tls_certfile": tmp_path / "c", "tls_keyfile": tmp_path / "k"}
    for more in ({}, {"insecure_http": True}, tls):
        with pytest.raises(UsageError, match="tripswitch token add"):
            server.check(ServeConfig.model_validate({"host": host, **more}), store)
    token(store, Role.VIEWER, "ended", lasts_s=0.000_001)
    with pytest.raises(UsageError, match="no valid token"):
        server.check(ServeConfig(host=host, insecure_http=True), store)
    token(store, Role.VIEWER)
    with pytest.raises(UsageError, match="without TLS"):
        server.check(ServeConfig(host=host), store)
    server.check(ServeConfig(host=host, insecure_http=True), store)
    server.check(ServeConfig.model_validate({"host": host, **tls}), store)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_this_host_it_needs_neither(store: Store, host: str) -> None:
    server.check(ServeConfig(host=host), store)


def test_beyond_this_host_nobody_reads_without_a_token(store: Store, store_url: str) -> None:
    # as if every token had been deleted after the start
    with served(store, store_url, host="0.0.0.0", insecure_http=True) as client:
        assert decide(client).status_code == 401


def test_an_address_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    settings = {"TRIPSWITCH_STORE__URL": f"sqlite:///{tmp_path / 'l.db'}"}
    with process(tmp_path, settings) as url:
        port = url.rpartition(":")[2]
        code, _, error = tripswitch({**settings, "TRIPSWITCH_SERVE__PORT": port}, "serve")
        assert code == ExitCode.FAILED
        assert f"serve.port {port}" in error
        assert "Traceback" not in error
        with pytest.raises(TripswitchError, match=r"serve\.host"):
            server.listen(ServeConfig(port=int(port)))


def test_no_part_of_an_answer_waits_for_the_client() -> None:
    with (
        server.listen(ServeConfig(port=0)) as listening,
        socket.create_connection(listening.getsockname()),
    ):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
