"""The API as a child of the daemon: kept running, and ended with it."""

import logging
import os
import signal
import sys
from pathlib import Path

import httpx
import pytest

from monitor.serve_child import ServeChild, command
from tests.kit.daemon import PATIENCE_S, Daemon
from tests.kit.waiting import until

SLEEPS = [sys.executable, "-c", "import time; time.sleep(600)"]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_child_that_dies_is_started_again_and_ends_with_us(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with ServeChild(SLEEPS, first_pause_s=0.01) as child:
        until(lambda: child.pid is not None)
        first = child.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: child.pid not in (None, first))
        second = child.pid
        assert "serve ended with signal 9" in caplog.text
    assert second is not None
    assert not is_alive(second)


def test_one_that_always_fails_is_tried_ever_less_often(caplog: pytest.LogCaptureFixture) -> None:
    fails = [sys.executable, "-c", "raise SystemExit(2)"]
    with caplog.at_level(logging.ERROR), ServeChild(fails, first_pause_s=0.01):
        until(lambda: caplog.text.count("exit code 2") >= 3)
    with caplog.at_level(logging.ERROR), ServeChild(["/no/such/file"], first_pause_s=0.01):
        until(lambda: "No such file" in caplog.text)


def test_it_ends_although_the_child_does_not_hear(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    deaf = (
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(600)"
    )
    with ServeChild([sys.executable, "-c", deaf]) as child:
        until(ready.exists)
        pid = child.pid
    assert pid is not None
    assert not is_alive(pid)


def test_the_child_reads_the_same_settings(tmp_path: Path) -> None:
    assert command(None)[1:4] == ["-m", "monitor", "serve"]
    assert command(tmp_path / "x.toml")[-2:] == ["--config", str(tmp_path / "x.toml")]


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_daemon_serves_and_takes_the_api_with_it(tmp_path: Path, how: str) -> None:
    config = tmp_path / "tripswitch.toml"
    config.write_text(
        f'[store]\nurl = "sqlite:///{tmp_path / "ledger.db"}"\n[serve]\nenabled = true\nport = 0\n'
    )
    daemon = Daemon(tmp_path, {"TRIPSWITCH_CONFIG": str(config)})
    daemon.start()
    try:
        daemon.wait_for(lambda: "serving on http" in daemon.log.read_text())
        url = daemon.log.read_text().partition("serving on ")[2].split()[0]
        ready = httpx.get(f"{url}/readyz", trust_env=False, timeout=PATIENCE_S)
        assert ready.json()["ready"] is True
    finally:
        if how == "stop":
            assert daemon.stop() == 0
        else:
            daemon.kill()

    def is_gone() -> bool:
        try:
            httpx.get(f"{url}/livez", trust_env=False)
        except httpx.HTTPError:
            return True
        return False

    until(is_gone)
    assert "Traceback" not in daemon.log.read_text()
    assert "serve ended" not in daemon.log.read_text()
