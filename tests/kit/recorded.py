"""Recorded behaviour of agents, for tests and benchmarks: not part of this project.

It is read where it stands, beside the checkout or at `TRIPSWITCH_TEST_RECORDED`; where it is
missing, tests take a generated stream in its place and say so.
"""

import gzip
import os
import warnings
from pathlib import Path
from typing import Final

from tests.kit.stream import odd_stream

_BESIDE: Final = Path(__file__).resolve().parents[3] / "shared" / "bench" / "data"
# Taken out of the environment, because the settings refuse variables that they do not know.
_NAMED: Final = os.environ.pop("TRIPSWITCH_TEST_RECORDED", None)
DIRECTORY: Final = Path(_NAMED) if _NAMED else _BESIDE


def recorded(name: str) -> list[bytes]:
    """The lines of a recorded stream, or of a generated one if there is none."""
    path = DIRECTORY / f"{name}.jsonl.gz"
    if not path.is_file():
        warnings.warn(RecordedMissing(f"no {path}: a generated stream stands in"), stacklevel=2)
        return odd_stream(20_000)
    with gzip.open(path) as lines:
        return [line.rstrip(b"\n") for line in lines]


class RecordedMissing(UserWarning):
    """Says what a test left out."""
