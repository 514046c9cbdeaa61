"""An HTTP server that answers as Slack's Web API does, with faults to order."""

import contextlib
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl, urlsplit

from tests.kit.slack_blocks import block_faults
from tests.kit.slack_people import People
from tests.kit.slack_workspace import APP_TOKEN, CHANNEL, TEAM, TOKEN, Posted, Workspace

__all__ = [
    "APP_TOKEN", "CHANNEL", "DRIP", "DROP", "HANG", "LOSE", "OK", "TEAM", "TOKEN", "Answer",
    "SlackServer", "block_faults", "slack_server",
]  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """One scripted answer. By default what Slack itself would say to the request."""

    status: int = 200
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    takes: bool | None = None
    """Whether what was asked is done; by default it is where Slack's own answer is given."""
    hang: bool = False
    """Take the message, then answer nothing until the server is closed."""
    drip: bool = False
    """Send one byte now and then: no single wait on the socket ever times out."""
    drop: bool = False
    """Take the message, then cut the connection before answering."""
    slow_s: float = 0.0
    """Take the message, and answer after so long."""

    @classmethod
    def error(cls, code: str) -> "Answer":
        return cls(body=json.dumps({"ok": False, "error": code}))

    @classmethod
    def rate_limited(cls, retry_after: str | None = "30") -> "Answer":
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        return cls(429, json.dumps({"ok": False, "error": "ratelimited"}), headers)


OK: Final = Answer()
HANG: Final = Answer(hang=True)
DRIP: Final = Answer(drip=True)
DROP: Final = Answer(drop=True)
LOSE: Final = Answer(drop=True, takes=False)
"""Cut the connection without having taken the message."""


class SlackServer(Workspace):
    """The server; `url` is its `api_url`."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Posted] = []
        """Everything that was asked, refused or not."""
        self.script: deque[Answer] = deque()
        """Answers to the next requests, in turn; then what `fault` says, and else `OK`."""
        self.fault: Callable[[Posted], Answer | None] = lambda _: None
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"slack": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}/api/"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.people = People(self)
        self.socket_url = self.people.url

    def close(self) -> None:
        self.closing.set()
        self.people.close()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def asked(self, method: str) -> list[Posted]:
        """The requests of one method."""
        return [posted for posted in self.requests if posted.method == method]


@contextlib.contextmanager
def slack_server() -> Iterator[SlackServer]:
    server = SlackServer()
    try:
        yield server
    finally:
        server.close()


def headlines(slack: SlackServer) -> list[str]:
    """What was told, the oldest first."""
    return [
        posted.payload["blocks"][1]["elements"][0]["elements"][0]["text"]
        for posted in slack.accepted
    ]


class _Handler(BaseHTTPRequestHandler):
    slack: ClassVar[SlackServer]

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        where = urlsplit(self.path)
        posted = Posted(
            method=where.path.removeprefix("/api/"),
            payload=dict(parse_qsl(where.query)) | self._body(),
            authorization=self.headers.get("Authorization", ""),
        )
        slack = self.slack
        slack.requests.append(posted)
        answer = slack.script.popleft() if slack.script else slack.fault(posted) or OK
        own = answer.status == 200 and answer.body is None
        said = slack.judge(posted, takes=own if answer.takes is None else answer.takes)
        body = (answer.body if answer.body is not None else json.dumps(said)).encode()
        if answer.hang:
            slack.closing.wait()
        slack.closing.wait(answer.slow_s)
        if answer.hang or answer.drop:
            return
        self.send_response(answer.status)
        kind = "application/json" if body.startswith(b"{") else "text/html"
        for name, value in {"Content-Type": kind, **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if answer.drip:
            for byte in body:
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(bytes([byte]))
                if slack.closing.wait(0.1):
                    return
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def _body(self) -> dict[str, Any]:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if raw and self.headers.get("Content-Type", "").startswith("application/json"):
            return dict(json.loads(raw))
        return dict(parse_qsl(raw.decode()))

    def log_message(self, *args: object) -> None:
        """Say nothing."""
