"""A gateway with a containment endpoint, over HTTP: it obeys, or answers as it is told to."""

import contextlib
import json
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Final
from urllib.parse import unquote

SECRET: Final = "tests-only-SECRET"
TOKEN: Final = "tests-only-TOKEN"


@dataclass(frozen=True)
class Answer:
    """One scripted answer; by default what the gateway itself would say."""

    status: int | None = None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    """Take the request, then answer nothing until the server is closed."""
    drip_head: bool = False
    """Send the head byte by byte: no single wait on the socket ever times out."""
    drip_body: bool = False
    """The same with the body alone."""
    drop: bool = False
    """Cut the connection before answering."""
    late_s: float = 0.0
    """Wait so long before obeying."""
    times: int = 1
    """Obey so often, as where something in between repeats a request."""
    forget: bool = False
    """Obey, and cut the connection in place of an answer."""
    raw: bytes | None = None
    """These bytes in place of an answer."""
    endless: bool = False
    """A body that never ends."""


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class GatewayServer:
    """The server; `POST /agents/ID/block` and `/unblock`, `GET /agents/ID`, `GET /ready`."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.states: dict[str, str] = {}
        self.script: deque[Answer] = deque()
        """Answers to the next requests, in turn; then it obeys."""
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"gateway": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def use_tls(self, context: ssl.SSLContext) -> None:
        """From the next connection on; handshakes may fail without a word."""
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")

    def close(self) -> None:
        if self.closing.is_set():
            return
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer_to(self, asked: Asked) -> Answer:
        """What becomes of a request."""
        return self.script.popleft() if self.script else Answer()

    def obey(self, asked: Asked) -> tuple[int, bytes]:
        parts = asked.target.split("?")[0].split("/")[1:]
        match (asked.method, *parts):
            case ("GET", "ready"):
                return 200, b"ok"
            case ("POST", "agents", agent, ("block" | "unblock") as verb):
                self.states[unquote(agent)] = "revoked" if verb == "block" else "active"
                return 200, b"{}"
            case ("GET", "agents", agent):
                state = self.states.get(unquote(agent))
                return 200, json.dumps({"agent": {"state": state}}).encode()
        return 404, b'{"error": "no such endpoint"}'


@contextlib.contextmanager
def gateway_server() -> Iterator[GatewayServer]:
    server = GatewayServer()
    try:
        yield server
    finally:
        server.close()


class _Handler(BaseHTTPRequestHandler):
    gateway: ClassVar[GatewayServer]

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # who asked has died
            super().handle()

    def do_POST(self) -> None:
        gateway = self.gateway
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, body)
        gateway.asked.append(asked)
        answer = gateway.answer_to(asked)
        self.close_connection = True
        if answer.hang:
            gateway.closing.wait()
        if answer.hang or answer.drop:
            return
        status, said = answer.status, answer.body
        if answer.late_s:
            gateway.closing.wait(answer.late_s)
        if status is None and answer.raw is None:
            for _ in range(answer.times):
                status, said = gateway.obey(asked)
        if answer.forget:
            return
        with contextlib.suppress(ConnectionError):
            self._write(answer, status, said)

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST  # noqa: N815 # as http.server calls them

    def _write(self, answer: Answer, status: int | None, body: bytes) -> None:
        if answer.raw is not None:
            self.wfile.write(answer.raw)
            return
        if answer.endless:
            self.send_response(status or 200)
            self.end_headers()
            while not self.gateway.closing.is_set():
                self.wfile.write(b"x" * 65536)
            return
        head = f"HTTP/1.1 {status} Told\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items()) + "\r\n"
        for drip, data in ((answer.drip_head, head.encode()), (answer.drip_body, body)):
            step = 1 if drip else max(1, len(data))
            for at in range(0, len(data), step):
                self.wfile.write(data[at : at + step])
                if drip and self.gateway.closing.wait(0.05):
                    return

    def log_message(self, *args: object) -> None:
        """Say nothing."""
