"""The URL that is called while all is well."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from pydantic import SecretStr

from monitor.config_health import HeartbeatConfig
from monitor.heartbeat import Heartbeat
from tests.kit.clock import NOW
from tests.kit.waiting import until


class Switch(BaseHTTPRequestHandler):
    calls = 0
    status = 200

    def do_GET(self) -> None:
        type(self).calls += 1
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A dead-man's switch over HTTP; its URL, with a secret in it."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    Switch.calls, Switch.status = 0, 200
    with HTTPServer(("127.0.0.1", 0), Switch) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/ping/s3cret"
        server.shutdown()
        thread.join()


def test_the_heart_beats_while_all_is_well_and_not_else(
    switch: str, caplog: pytest.LogCaptureFixture
) -> None:
    well = threading.Event()
    asked = []

    def is_well() -> bool:
        asked.append(1)
        return well.is_set()

    heart = Heartbeat(HeartbeatConfig(url=SecretStr(switch), interval_s=0.01), is_well)
    heart.start()
    until(lambda: len(asked) > 3)
    assert Switch.calls == 0
    well.set()
    until(lambda: heart.beats > 2)
    assert list(heart.troubles(NOW)) == []
    Switch.status = 500
    until(lambda: list(heart.troubles(NOW)))
    (trouble,) = heart.troubles(NOW)
    assert "status 500" in trouble.text
    Switch.status = 200
    until(lambda: not list(heart.troubles(NOW)))
    heart.stop()
    assert not heart.is_alive()
    assert "s3cret" not in caplog.text + trouble.text
