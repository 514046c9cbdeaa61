"""Tries everything that comes from outside for as long as it is told, and prints what it tried.

    make fuzz FUZZ_S=600

Prints one JSON object; a failure is shown with the smallest input that fails, and the seed by
which it comes back: `--seed`.
"""

import argparse
import json
import random
import sys
import time
from typing import Final

from tests.fuzz.decoding import DECODING
from tests.fuzz.settings import SETTINGS
from tests.fuzz.state import STATE

TARGETS: Final = (DECODING, SETTINGS, STATE)
_EXAMPLES: Final = 300
"""In one go, before the next target has its turn."""


def main() -> None:
    """Take turns among the targets until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    chosen = parser.parse_args()
    rng, tried = random.Random(chosen.seed), dict.fromkeys((one.name for one in TARGETS), 0)
    began_s = time.monotonic()
    print(f"fuzzing with --seed {chosen.seed}", file=sys.stderr)
    while time.monotonic() - began_s < chosen.seconds:
        for target in TARGETS:
            tried[target.name] += target.run(_EXAMPLES, rng.randrange(2**32))
    print(json.dumps({"seed": chosen.seed, "seconds": chosen.seconds, "tried": tried}))


if __name__ == "__main__":
    main()
