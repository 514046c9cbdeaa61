"""What a command loads before it does anything: in an incident somebody waits for it."""

import json
import subprocess
import sys

COMMANDS = ("kill", "restore", "approvals", "agents", "alerts", "audit", "grants")
SLOW = ("httpx", "kafka", "numpy", "river", "slack_sdk")
"""Each takes a tenth to a third of a second to load."""


def test_the_commands_of_an_incident_load_nothing_slow() -> None:
    script = (
        "import gc, json, sys; from monitor.cli.app import register; "
        f"[register([command]) for command in {COMMANDS!r}]; "
        "assert gc.isenabled(); print(json.dumps(sorted(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    loaded = set(json.loads(ended.stdout))
    assert {f"monitor.cli.{command}" for command in COMMANDS} <= loaded
    assert not set(SLOW) & loaded
