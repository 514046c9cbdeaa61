"""The daemon on standard input: what a pipe brings is judged, stored, and counted at the end."""

import json
import os
import subprocess
import sys

from tests.kit.stream import odd_stream


def test_a_pipe_is_read_to_its_end() -> None:
    lines = odd_stream(800)
    again = lines[:3] + lines  # sent twice

    ended = subprocess.run(
        [sys.executable, "-m", "monitor", "run", "--json"],
        input=b"\n".join(again) + b"\n",
        env={
            **os.environ,
            "TRIPSWITCH_SOURCE__KIND": "stdin",
            "TRIPSWITCH_BUDGET__ALERTS_PER_AGENT_PER_WEEK": "200",
        },
        capture_output=True,
        timeout=90,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    counts = json.loads(ended.stdout)
    assert counts["events"] + counts["rejected"] == len(again)
    assert counts["repeats"] == 3
    assert counts["anomalies"] > 0
    assert b"Traceback" not in ended.stderr
