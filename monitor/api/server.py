"""The server's process: what it refuses to do, where it listens, and how it stops."""

import os
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from types import FrameType
from typing import Final

import uvicorn

from monitor.api.app import create_app
from monitor.api.backend import Backend
from monitor.api.connection import Connection
from monitor.config import Config
from monitor.config_serve import ServeConfig
from monitor.errors import TripswitchError, UsageError
from monitor.ledger import tokens
from monitor.store import Store

_STOP_WITHIN_S: Final = 3
_MAX_HEADER_BYTES: Final = 32_768
_MAX_CONNECTIONS: Final = 1000
_BACKLOG: Final = 2048


def serve(
    config: Config, *, on_listening: Callable[[str], None], while_stdin_is_open: bool = False
) -> None:
    """Answer until SIGTERM or SIGINT.

    Parameters
    ----------
    config
        The settings.
    on_listening
        Told the URL, once requests are taken.
    while_stdin_is_open
        End with standard input, too: so a child ends with the process that started it.

    Raises
    ------
    TripswitchError
        If the settings are not safe, or the store, the address or the certificate cannot be used.
    """
    owner = f"serve:{socket.gethostname()}:{os.getpid()}"
    with closing(Store.open(config.store)) as store, closing(Backend(config, store, owner)) as back:
        check(config.serve, store)
        server = uvicorn.Server(uvicorn_settings(config.serve, back))
        with listen(config.serve) as listening:
            scheme = "https" if config.serve.tls_certfile else "http"
            on_listening(f"{scheme}://{_address(listening)}")
            if while_stdin_is_open:
                threading.Thread(target=_end_with_stdin, args=(server,), daemon=True).start()
            # uvicorn raises the signal that ended it once more, for whoever handled it before
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, _ignore)
            server.run(sockets=[listening])


def check(config: ServeConfig, store: Store) -> None:
    """Refuse to listen beyond this host without tokens, or without TLS.

    Raises
    ------
    UsageError
        Saying what to do.
    """
    if config.is_local:
        return
    with store.read() as ledger:
        if not tokens.any_valid(ledger, time.time()):
            raise UsageError(
                f"serve.host is {config.host}, beyond this host, and there is no valid token: "
                "`tripswitch token add NAME --role viewer` makes one"
            )
    if config.tls_certfile is None and not config.insecure_http:
        raise UsageError(
            f"serve.host is {config.host}, beyond this host, without TLS: set serve.tls_certfile "
            "and serve.tls_keyfile, or serve.insecure_http = true behind a proxy that has it"
        )


def uvicorn_settings(config: ServeConfig, backend: Backend) -> uvicorn.Config:
    """How uvicorn serves the application, with the certificate loaded.

    Raises
    ------
    UsageError
        If the certificate or its key cannot be used.
    """
    settings = uvicorn.Config(
        create_app(backend),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        http=Connection,
        h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_STOP_WITHIN_S,
        ssl_certfile=config.tls_certfile,
        ssl_keyfile=config.tls_keyfile,
    )
    try:
        settings.load()
    except (OSError, ssl.SSLError) as error:
        files = f"serve.tls_certfile {config.tls_certfile}, serve.tls_keyfile {config.tls_keyfile}"
        raise UsageError(f"{files}: {error}; give it a PEM certificate and its key") from None
    return settings


def listen(config: ServeConfig) -> socket.socket:
    """The socket that requests come in at.

    Raises
    ------
    TripswitchError
        If the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        place = socket.create_server((config.host, config.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        where = f"serve.host {config.host}, serve.port {config.port}"
        raise TripswitchError(
            f"cannot listen on {where}: {error.strerror or error}; set serve.host or serve.port"
        ) from None
    # Inherited by each connection: else the second part of an answer waits 40 ms for the client.
    place.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return place


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _end_with_stdin(server: uvicorn.Server) -> None:
    while sys.stdin.buffer.read(1024):
        pass
    server.should_exit = True


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """The server has stopped for it already."""
