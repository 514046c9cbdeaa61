"""The HTTP API for tests: its real server on a free port, in a thread or as a process."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import httpx
import uvicorn

from monitor.api import server
from monitor.api.backend import Backend
from monitor.config import Config, StoreConfig
from monitor.config_serve import ServeConfig
from monitor.ledger import tokens
from monitor.ledger.tokens import Role
from monitor.store import Store

PATIENCE_S: Final = 60.0
_ADDRESS: Final = re.compile(r"serving on (https?://\S+)")


@contextmanager
def served(store: Store, url: str, **settings: object) -> Iterator[httpx.Client]:
    """A client of a server in this process, over a store that is open."""
    config = Config(
        store=StoreConfig(url=url), serve=ServeConfig.model_validate({"port": 0, **settings})
    )
    with closing(Backend(config, store, "test")) as backend, server.listen(config.serve) as place:
        running = uvicorn.Server(server.uvicorn_settings(config.serve, backend))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [place]})
        thread.start()
        try:
            url = f"http://127.0.0.1:{place.getsockname()[1]}"  # without TLS, so no authorities
            with httpx.Client(base_url=url, verify=False, timeout=PATIENCE_S) as client:
                yield client
        finally:
            running.should_exit = True
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def token(store: Store, role: Role, name: str | None = None, lasts_s: float | None = None) -> str:
    """The secret of a new token."""
    with store.ledger() as ledger:
        return tokens.add(
            ledger,
            name=name or str(role),
            role=role,
            by="os:alice",
            now_s=time.time(),
            lasts_s=lasts_s,
        )[1]


def bearer(secret: str) -> dict[str, str]:
    """The header of a request."""
    return {"Authorization": f"Bearer {secret}"}


@contextmanager
def process(directory: Path, settings: Mapping[str, str]) -> Iterator[str]:
    """A `tripswitch serve`; gives its URL, and asserts that it ends well."""
    log = directory / "serve.log"
    with log.open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "monitor", "serve"],
            env={**os.environ, "TRIPSWITCH_SERVE__PORT": "0", **settings},
            stdout=out,
            stderr=out,
        )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (found := _ADDRESS.search(log.read_text())):
            assert child.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield found[1]
    finally:
        child.terminate()
        code = child.wait(PATIENCE_S)
    assert code == 0, log.read_text()
    assert "Traceback" not in log.read_text()
