"""Who takes too long over a request loses the connection; nobody else does."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from monitor.api import connection, server
from monitor.store import Store
from tests.kit.api import served
from tests.kit.waiting import WAIT_S, until

PATIENCE_S = 0.5
HEAD = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
LIVE = b'{"live":true}'
BODY = b"POST /v1/agents/a/kill HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REQUEST_WITHIN_S", PATIENCE_S)


@pytest.fixture
def client(store: Store, store_url: str) -> Iterator[httpx.Client]:
    with served(store, store_url) as opened:
        yield opened


def connect(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port or 0), WAIT_S)


def ask(place: socket.socket) -> None:
    """Ask something, and read the whole answer."""
    place.sendall(HEAD + b"\r\n")
    said = b""
    while not said.endswith(LIVE):
        said += place.recv(4096)


def to_the_end(place: socket.socket) -> bytes:
    """What still comes until the server hangs up."""
    said = b""
    try:
        while more := place.recv(4096):
            said += more
    except ConnectionResetError:
        pass
    return said


@pytest.mark.parametrize("begun", [b"", b"G", HEAD, BODY], ids=["nothing", "G", "head", "body"])
def test_a_request_that_is_never_whole_ends_the_connection(
    client: httpx.Client, caplog: pytest.LogCaptureFixture, begun: bytes
) -> None:
    began_s = time.monotonic()
    with connect(client) as place:
        place.sendall(begun)
        to_the_end(place)
        assert time.monotonic() - began_s >= PATIENCE_S
    assert client.get("/livez").status_code == 200
    assert [r for r in caplog.records if r.levelname not in ("DEBUG", "INFO")] == []


def test_to_drip_a_request_gives_no_more_time(client: httpx.Client) -> None:
    def is_closed() -> bool:
        try:
            place.sendall(b"x")
        except ConnectionError:
            return True
        return False

    with connect(client) as place:
        until(is_closed)


def test_a_later_request_has_as_long_and_a_rest_between_two_is_free(client: httpx.Client) -> None:
    with connect(client) as place:
        for _ in range(2):
            ask(place)
            time.sleep(2 * PATIENCE_S)
        place.sendall(HEAD + b"\r\n" + HEAD)  # the next one is begun, and never ends
        assert to_the_end(place).count(LIVE) == 1
    with connect(client) as place:
        ask(place)
        place.sendall(b"G")
        assert to_the_end(place) == b""


def test_those_who_send_nothing_keep_others_out_for_a_while_alone(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, store: Store, store_url: str
) -> None:
    monkeypatch.setattr(server, "_MAX_CONNECTIONS", 20)
    with served(store, store_url) as narrow, ExitStack() as stack:
        silent = [stack.enter_context(connect(narrow)) for _ in range(20)]
        assert narrow.get("/livez", headers={"Connection": "close"}).status_code == 503
        for place in silent:
            to_the_end(place)
        assert narrow.get("/livez").status_code == 200
