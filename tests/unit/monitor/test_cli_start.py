"""What a command loads before it does anything: in an incident somebody waits for it."""

import json
import subprocess
import sys

import pytest

SLOW = ("httpx", "kafka", "numpy", "river", "slack_sdk")
"""Each takes a tenth to a third of a second to load."""


@pytest.mark.parametrize(
    "command", ["kill", "restore", "approvals", "agents", "alerts", "audit", "grants"]
)
def test_a_command_of_an_incident_loads_nothing_slow(command: str) -> None:
    script = (
        "import json, sys; from monitor.cli.app import register; "
        f"register([{command!r}]); print(json.dumps(sorted(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert not set(SLOW) & set(json.loads(ended.stdout))


def test_garbage_is_collected_again_once_a_command_is_loaded() -> None:
    script = (
        "import gc; from monitor.cli.app import register; "
        "assert gc.isenabled(); register(['kill']); assert gc.isenabled()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
