"""Compiled, the two lower floors find and learn the same, to the byte (`make test-compiled`)."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from baselines.event import ActionEvent
from baselines.packed import pack
from detectors.budget import Budget
from detectors.limits import Limits
from detectors.policy import Policy
from detectors.shard import Shard
from tests.kit.compiled import is_compiled
from tests.kit.recorded import DIRECTORY, recorded

ROOT = Path(__file__).resolve().parents[3]
EVENTS = 15_000


def found_and_learned() -> str:
    """A digest of each anomaly over a stream, and of each profile at its end."""
    limits = [Limits(tools=("read_*", "send_email"))]
    shard = Shard("log", 0, Policy.of(Budget(50.0), limits=limits))
    shard.profiles.max_awake = 8
    digest = hashlib.sha256()
    for offset, raw in enumerate(recorded("role")[:EVENTS]):
        try:
            event = ActionEvent.parse(raw)
        except ValueError:
            continue
        for anomaly in shard.feed(event, raw, offset):
            digest.update(anomaly.model_dump_json().encode())
    for agent_id in sorted(shard.profiles):
        digest.update(pack(shard.profiles.peek(agent_id)).body)
    return f"{digest.hexdigest()} compiled={is_compiled()}"


@pytest.mark.skipif(not is_compiled(), reason="nothing is compiled here: make test-compiled")
@pytest.mark.filterwarnings("ignore::tests.kit.recorded.RecordedMissing")
def test_as_it_is_written_it_finds_the_same() -> None:
    code = f"from {__name__} import found_and_learned; print(found_and_learned())"
    surroundings = os.environ | {
        "PYTHONPATH": str(ROOT),
        "TRIPSWITCH_TEST_RECORDED": str(DIRECTORY),
    }
    written = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=surroundings
    )
    digest, _, compiled = found_and_learned().partition(" ")
    assert compiled == "compiled=True"
    assert written.stdout.split() == [digest, "compiled=False"]
