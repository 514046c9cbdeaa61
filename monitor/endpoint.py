"""The daemon's HTTP port: `/metrics`, `/livez` and `/readyz`. It changes nothing, asks no store."""

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any, Final, Protocol
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app

from monitor.errors import TripswitchError

log = logging.getLogger(__name__)

_STATUS: Final = {200: "200 OK", 404: "404 Not Found", 503: "503 Service Unavailable"}


class Asked(Protocol):
    """Who knows whether the daemon lives and is ready."""

    def is_alive(self) -> bool:
        """Whether a restart would not help."""
        ...

    def readiness(self) -> dict[str, Any]:
        """`ready`, the `reasons` why not, and all `conditions` that hold."""
        ...


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Silent(WSGIRequestHandler):
    timeout = 10
    """Nobody keeps a thread for longer by saying nothing, in seconds."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Nothing: who asks every few seconds would fill the log."""


def serve(
    registry: CollectorRegistry, host: str, port: int, asked: Asked | None = None
) -> Callable[[], None]:
    """Answer from threads of its own; returns how to stop that.

    Raises
    ------
    TripswitchError
        If the port cannot be had.
    """
    metrics = make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if path in ("/", "/metrics"):
            body: Iterable[bytes] = metrics(environ, start)
            return body
        document: dict[str, Any]
        status, document = 404, {"error": "there are /metrics, /livez and /readyz"}
        if path == "/livez":
            alive = asked is None or asked.is_alive()
            status, document = 200 if alive else 503, {"live": alive}
        elif path == "/readyz":
            ready = {"ready": True, "reasons": []} if asked is None else asked.readiness()
            status, document = 200 if ready["ready"] else 503, ready
        told = json.dumps(document).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(told)))]
        start(_STATUS[status], [*headers, ("Cache-Control", "no-store")])
        return [told]

    kind = _Server6 if ":" in host else _Server
    try:
        server = make_server(host, port, answer, kind, _Silent)
    except OSError as error:
        why = error.strerror or error
        raise TripswitchError(
            f"metrics.port {port} on {host}: {why}; set another metrics.port or metrics.host"
        ) from None
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    log.info("metrics at http://%s:%d/metrics", host, server.server_port)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
