"""What starts the daemon in production is run here as it stands in the files."""

import json
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

from tests.kit.daemon import Daemon
from tests.unit.deploy.test_manifests import DEPLOY, instructions

BIN = Path(sys.executable).parent


def unit(key: str) -> list[str]:
    text = (DEPLOY / "systemd" / "tripswitch.service").read_text("utf-8")
    return re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)


def test_the_unit_starts_it_and_a_stop_ends_it_well(tmp_path: Path) -> None:
    command = shlex.split(unit("ExecStart")[0])
    assert command[0] == "/opt/tripswitch/bin/tripswitch"
    command[0] = str(BIN / "tripswitch")
    settings = tmp_path / "tripswitch.toml"
    settings.write_text("[alerts]\nquiet_s = 60\n")
    command[command.index("/etc/tripswitch/tripswitch.toml")] = str(settings)
    surroundings = dict(pair.split("=") for line in unit("Environment") for pair in line.split())
    assert surroundings["XDG_STATE_HOME"] == "/var/lib"
    assert unit("StateDirectory") == ["tripswitch"]
    daemon = Daemon(tmp_path, {**surroundings, "XDG_STATE_HOME": str(tmp_path)}, command)
    daemon.start()
    daemon.wait_for(lambda: "tripswitch reads" in daemon.log.read_text())
    assert unit("ExecReload") == ["/bin/kill -HUP $MAINPID"]
    assert daemon.stop() == 0
    assert (tmp_path / "tripswitch" / "ledger.db").exists()


def test_the_image_s_entry_point_runs_and_its_health_check_passes(tmp_path: Path) -> None:
    steps = instructions((DEPLOY / "Dockerfile").read_text("utf-8"))
    last = dict(steps[[n for n, (step, _) in enumerate(steps) if step == "FROM"][-1] :])
    surroundings = dict(shlex.split(pair)[0].split("=", 1) for pair in last["ENV"].split())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    assert surroundings["TRIPSWITCH_METRICS__PORT"] == "9464"
    surroundings |= {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "XDG_STATE_HOME": str(tmp_path),
        "TRIPSWITCH_METRICS__HOST": "127.0.0.1",
        "TRIPSWITCH_METRICS__PORT": port,
    }
    entry, *arguments = json.loads(last["ENTRYPOINT"]) + json.loads(last["CMD"])
    daemon = Daemon(tmp_path, surroundings, [str(BIN / entry), *arguments])
    check = json.loads(last["HEALTHCHECK"].partition("CMD ")[2])
    check = [sys.executable, *(part.replace("9464", port) for part in check[1:])]
    daemon.start()
    daemon.wait_for(lambda: "tripswitch reads" in daemon.log.read_text())
    daemon.wait_for(lambda: subprocess.run(check, capture_output=True, check=False).returncode == 0)
    assert daemon.stop() == 0
    assert subprocess.run(check, capture_output=True, check=False).returncode == 1
