"""The demo as a person runs it: another process, no terminal, an environment of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

DEMO = [sys.executable, "-m", "monitor", "demo"]


@pytest.fixture
def foreign_environment(tmp_path: Path) -> dict[str, str]:
    """Settings of whoever plays the demo, which it must leave alone."""
    return os.environ | {
        "TRIPSWITCH_STORE__URL": f"sqlite:///{tmp_path}/mine.db",
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }


def test_it_shows_an_incident_to_its_end(
    tmp_path: Path, foreign_environment: dict[str, str]
) -> None:
    place = tmp_path / "demo"
    done = subprocess.run(
        [*DEMO, "--directory", str(place), "--json"],
        env=foreign_environment, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["agent_id"] == "payroll-01"
    assert "boundary" in figures["detectors"]
    assert figures["points"] == {"registry": "confirmed"}
    assert figures["refused"] > 0
    assert figures["effective_after_containment"] == 0
    assert figures["silence_watched_s"] >= 6.0
    assert "\x1b" not in done.stderr
    log = [json.loads(line) for line in (place / "events.jsonl").read_text().splitlines()]
    denied = [event for event in log if event["status"] == "denied"]
    assert {event["agent_id"] for event in denied} == {"payroll-01"}
    assert figures["refused"] <= len(denied)
    assert not (tmp_path / "mine.db").exists()
    assert not (tmp_path / "state").exists()


def _heed_interrupts() -> None:
    """A shell has its background jobs ignore SIGINT, and these tests may be one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_told_to_and_leaves_no_daemon(number: signal.Signals, tmp_path: Path) -> None:
    place = tmp_path / "demo"
    demo = subprocess.Popen(
        [*DEMO, "--directory", str(place)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, preexec_fn=_heed_interrupts,
    )  # fmt: skip
    me, daemons = psutil.Process(demo.pid), list[psutil.Process]()
    deadline_s = time.monotonic() + 60
    while not daemons and time.monotonic() < deadline_s:
        daemons = me.children()
        time.sleep(0.05)
    while not any(place.glob("*.db")) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    time.sleep(1.0)  # not while it is being started
    demo.send_signal(number)
    said, _ = demo.communicate(timeout=120)
    assert demo.returncode == 4, said
    assert daemons
    assert psutil.wait_procs(daemons, timeout=60)[1] == []
    assert "Traceback" not in said
    assert f"what was written is in {place}" in said
