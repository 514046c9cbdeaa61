"""An HTTP server that answers as Slack's Web API does: chat.postMessage and auth.test."""

import contextlib
import json
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final

TOKEN: Final = "xoxb-2222-tests-only-SECRET"
CHANNEL: Final = "C0ALERTS"


@dataclass(frozen=True)
class Answer:
    """One scripted answer. By default what Slack itself would say to the request."""

    status: int = 200
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    """Take the message, then answer nothing until the server is closed."""
    drip: bool = False
    """Send one byte now and then: no single wait on the socket ever times out."""
    drop: bool = False
    """Take the message, then cut the connection before answering."""

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


@dataclass(frozen=True)
class Posted:
    """One request as it came in."""

    method: str
    payload: dict[str, Any]
    authorization: str

    @property
    def key(self) -> str:
        return str(self.payload["metadata"]["event_payload"]["key"])


class SlackServer:
    """The server; `url` is its `api_url`."""

    def __init__(self) -> None:
        self.requests: list[Posted] = []
        """Everything that was asked, refused or not."""
        self.accepted: list[Posted] = []
        """What stands in the channel."""
        self.script: deque[Answer] = deque()
        """Answers to the next requests, in turn; then `OK`."""
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"slack": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}/api/"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def judge(self, posted: Posted) -> dict[str, Any]:
        """What Slack says to a request that nothing was scripted for."""
        if posted.authorization != f"Bearer {TOKEN}":
            return {"ok": False, "error": "invalid_auth"}
        if posted.method == "auth.test":
            return {"ok": True, "team": "tests", "user": "tripswitch"}
        if posted.method != "chat.postMessage":
            return {"ok": False, "error": "unknown_method"}
        if posted.payload.get("channel") != CHANNEL:
            return {"ok": False, "error": "channel_not_found"}
        faults = block_faults(posted.payload.get("blocks", []))
        if faults:
            messages = {"messages": faults}
            return {"ok": False, "error": "invalid_blocks", "response_metadata": messages}
        return {"ok": True, "channel": CHANNEL, "ts": f"{len(self.accepted)}.0"}


@contextlib.contextmanager
def slack_server() -> Iterator[SlackServer]:
    server = SlackServer()
    try:
        yield server
    finally:
        server.close()


class _Handler(BaseHTTPRequestHandler):
    slack: ClassVar[SlackServer]

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        is_json = self.headers["Content-Type"].startswith("application/json")
        posted = Posted(
            method=self.path.removeprefix("/api/"),
            payload=json.loads(raw) if is_json else {},
            authorization=self.headers.get("Authorization", ""),
        )
        slack = self.slack
        slack.requests.append(posted)
        answer = slack.script.popleft() if slack.script else OK
        said = slack.judge(posted)
        body = (answer.body if answer.body is not None else json.dumps(said)).encode()
        if answer.status == 200 and answer.body is None and said["ok"]:
            slack.accepted.append(posted)
        if answer.hang:
            slack.closing.wait(30)
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
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def block_faults(blocks: list[dict[str, Any]]) -> list[str]:
    """What of a message's blocks breaks Slack's rules, as far as these blocks use them."""
    faults = [] if 1 <= len(blocks) <= 50 else [f"{len(blocks)} blocks, 1 to 50 are allowed"]
    if len(json.dumps(blocks, ensure_ascii=False)) > 13_000:
        faults.append("blocks too long")
    for number, block in enumerate(blocks):
        faults += [f"block {number}: {fault}" for fault in _faults(block)]
    return faults


def _faults(block: dict[str, Any]) -> list[str]:
    match block["type"]:
        case "header":
            return _text_faults(block["text"], ("plain_text",), 150)
        case "section":
            faults = []
            if "text" in block:
                faults += _text_faults(block["text"], ("plain_text", "mrkdwn"), 3000)
            if len(block.get("fields", [])) > 10:
                faults.append("more than 10 fields")
            for item in block.get("fields", []):
                faults += _text_faults(item, ("plain_text", "mrkdwn"), 2000)
            return faults
        case "context":
            faults = [] if 1 <= len(block["elements"]) <= 10 else ["1 to 10 elements"]
            for item in block["elements"]:
                faults += _text_faults(item, ("plain_text", "mrkdwn"), 3000)
            return faults
        case "rich_text":
            return [fault for element in block["elements"] for fault in _rich_faults(element)]
        case kind:
            return [f"unknown type {kind}"]


def _text_faults(item: dict[str, Any], kinds: tuple[str, ...], limit: int) -> list[str]:
    faults = [] if item["type"] in kinds else [f"text of type {item['type']}"]
    if not 1 <= len(item["text"]) <= limit:
        faults.append(f"text of {len(item['text'])} characters, 1 to {limit} are allowed")
    return faults


def _rich_faults(element: dict[str, Any]) -> list[str]:
    if element["type"] not in ("rich_text_section", "rich_text_preformatted"):
        return [f"rich text element of type {element['type']}"]
    if not element["elements"]:
        return ["empty rich text element"]
    return [fault for item in element["elements"] for fault in _text_faults(item, ("text",), 3000)]
